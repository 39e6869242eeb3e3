"""Test that a hostile or damaged ONNX file is refused in one line, whatever is wrong in it, and only read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, helper

from compare.onnx_files import reading
from compare.onnx_files.matching import check_model, layers_of, width_of
from compare.onnx_files.reading import read_onnx_file
from compare.onnx_files.structure import residual_stream
from export.errors import BadInput, CannotRun
from tests.helpers.small_models import FACTS, dims, external, small


def nested(depth: int) -> bytes:
    """Return the bytes of a branch in a branch, many times."""

    def field(number: int, content: bytes) -> bytes:
        return varint(number << 3 | 2) + varint(len(content)) + content

    def varint(number: int) -> bytes:
        low = number & 0x7F
        return bytes([low | 0x80]) + varint(number >> 7) if number > 0x7F else bytes([low])

    graph = b""
    for _ in range(depth):  # GraphProto.node, NodeProto.attribute, AttributeProto.g
        graph = field(1, field(5, field(6, graph)))
    return field(7, graph)  # ModelProto.graph, which is merged with the one before


def in_a_branch(model: ModelProto) -> None:
    branch = GraphProto(name="b", node=[NodeProto(op_type="Abs", input=["nowhere"], output=["z"])])
    model.graph.node[1].attribute.append(AttributeProto(name="g", type=AttributeProto.GRAPH, g=branch))


def functions(model: ModelProto) -> None:
    for name, called in (("a", "b"), ("b", "a")):
        node = NodeProto(op_type=called, domain="f", input=["x"], output=["y"])
        model.functions.append(
            helper.make_function(
                "f", name, ["x"], ["y"], [node], [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
            )
        )


def cycle(model: ModelProto) -> None:
    model.graph.node[1].input[0] = "p"


def several(*changes: Callable[[ModelProto], None]) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        for each in changes:
            each(model)

    return change


def declared(model: ModelProto, size: int, of: int = 0) -> None:
    model.graph.input[of].type.tensor_type.shape.dim[1].dim_value = size


WRONG = {
    "two outputs": (
        lambda model: model.graph.output.append(model.graph.output[0]),
        "has two outputs named 'logits'",
    ),
    "very many outputs": (
        lambda model: model.graph.output.extend(helper.make_empty_tensor_value_info(f"x{i}") for i in range(10_000)),
        "has 10,001 outputs, and at most 10,000 are compared",
    ),
    "no operator set": (
        lambda model: setattr(model.opset_import[0], "domain", "com.microsoft"),
        "has a node Gather of the operator set 'ai.onnx', and imports no version of that",
    ),
    "two inputs": (lambda model: model.graph.input.append(model.graph.input[0]), "has two inputs named 'input_ids'"),
    "two weights": (
        lambda model: model.graph.initializer.append(model.graph.initializer[0]),
        "has two tensors named 'embedding'",
    ),
    "written twice": (
        lambda model: model.graph.node.append(model.graph.node[3]),
        "has a node Add that writes 'y', which exists already",
    ),
    "a cycle": (cycle, "has a node Identity that reads 'p', which no node before it makes"),
    "a missing input": (in_a_branch, "has a node Abs that reads 'nowhere', which no node before it makes"),
    "a missing output": (
        lambda model: model.graph.output.add(name="nothing"),
        "has an output 'nothing', which no node makes",
    ),
    "no outputs": (
        lambda model: model.graph.node[1].ClearField("output"),
        "has a node Identity that writes nothing",
    ),
    "functions without end": (functions, "has a function 'a' that calls itself"),
    "a far opset": (lambda model: setattr(model.opset_import[0], "version", 10**6), "gives 1000000 as the version of "),
    "a negative opset": (lambda model: setattr(model.opset_import[0], "version", -1), "gives -1 as the version of "),
    "a far format": (lambda model: setattr(model, "ir_version", 2**62), "as the version of the format"),
    "a huge dimension": (
        lambda model: declared(model, 2**62),
        "declares 'input_ids' with a dimension of 4,611,686,018",
    ),
    "a negative dimension": (lambda model: declared(model, -1), "declares 'input_ids' with a dimension of -1"),
    "an unknown type": (
        lambda model: setattr(model.graph.input[0].type.tensor_type, "elem_type", 999),
        "declares 'input_ids' with the unknown type 999",
    ),
    "a long name": (
        lambda model: setattr(model.graph.input[1], "name", "n" * 2000),
        "declares an input or output whose name has 2,000 characters",
    ),
    "weights of an unknown type": (
        lambda model: setattr(model.graph.initializer[1], "data_type", 999),
        "has a tensor 'head' of the unknown type 999",
    ),
    "weights of another size": (
        lambda model: dims(model, 4, 9),
        "has 128 bytes for the tensor 'head', whose shape needs 144",
    ),
    "weights whose size overflows": (
        lambda model: dims(model, *[2**31 - 1] * 9),
        "has 128 bytes for the tensor 'head'",
    ),
    "weights of many dimensions": (lambda model: dims(model, *[1] * 1000), "has a tensor 'head' of 1,000 dimensions"),
    "weights of a negative size": (lambda model: dims(model, -4, 8), "has a tensor 'head' with a dimension of -4"),
    "metadata that leads out": (
        lambda model: model.metadata_props.add(key="tap logits", value="../../evil"),
        "names an output '../../evil' in its metadata, which is no tensor of a model",
    ),
    "an offset beyond": (several(external(offset="999999")), "weights.bin has 128 bytes, but "),
    "a negative length": (several(external(length="-5")), "in its bytes 0 to -5"),
    "an endless number": (several(external(offset="9" * 6000)), "gives no valid offset and length of 'head'"),
    "another length": (several(external(length="64")), "gives 64 bytes to 'head', whose shape needs 128"),
    "a location that is a pipe": (external(location="pipe"), "which is not a regular file; export it again"),
    "a location that is a device": (external(location="null"), "refers to a file outside its folder"),
    "a location that is a folder": (external(location="."), "which is not a regular file"),
    "a location of 300 characters": (external(location="x" * 300), "cannot be read: its name is too long"),
    "a location with NUL": (external(location="a\0b"), "which no file can be; export it again"),
    "a location in a loop": (external(location="loop"), "which no file can be; export it again"),
    "a location outside": (external(location="../x"), "refers to a file outside its folder: 'head' is in '../x'"),
    "a name with control characters": (
        lambda model: setattr(model.graph.node[1], "op_type", "\x1b[31m\x07"),
        None,
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files that a graph may refer to."""
    (tmp_path / "weights.bin").write_bytes(bytes(128))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


@pytest.mark.parametrize("name", WRONG)
def test_a_graph_that_cannot_be_one_is_refused(name: str, folder: Path) -> None:
    change, message = WRONG[name]
    model = small()
    change(model)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    if message is None:
        read_onnx_file(path)
        return
    with pytest.raises(BadInput) as refused:
        read_onnx_file(path)
    assert message in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_graph_is_read(folder: Path) -> None:
    model = small()
    external()(model)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    file = read_onnx_file(folder / "model.onnx")
    check_model(file, FACTS)
    assert (layers_of(file), width_of(file), file.bytes) == (1, 8, len(model.SerializeToString()) + 128)


def test_names_that_are_not_utf8_are_refused(folder: Path) -> None:
    content = small().SerializeToString()
    assert b"same" in content
    (folder / "model.onnx").write_bytes(content.replace(b"same", b"\xff\xfe\xfd\xfc"))
    with pytest.raises(BadInput, match=r"has a name that is not UTF-8; export the model again"):
        read_onnx_file(folder / "model.onnx")


def test_graphs_in_graphs_without_end_are_refused(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(small().SerializeToString() + nested(1000))
    with pytest.raises(BadInput, match=r"model\.onnx \([0-9,]+ bytes\) is not a complete ONNX graph"):
        read_onnx_file(folder / "model.onnx")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: Path("/dev/zero"), "it is a device, not a regular file"),
        (lambda folder: folder / "pipe", "it is a pipe, not a regular file"),
        (lambda folder: folder, "it is a folder, not a regular file"),
        (lambda folder: folder / "loop", "its links lead back to themselves"),
        (lambda folder: folder / ("x" * 300), "its name is too long"),
        (lambda folder: folder / "weights.bin", "(128 bytes) is not a complete ONNX graph"),
    ],
)
def test_what_is_no_file_is_not_read(make, message: str, folder: Path) -> None:
    with pytest.raises(BadInput) as refused:
        read_onnx_file(make(folder))
    assert message in str(refused.value)


def test_a_file_larger_than_a_graph_can_be_is_not_read(folder: Path) -> None:
    with (folder / "large.onnx").open("wb") as file:
        file.truncate(3 * 2**30)
    with pytest.raises(BadInput, match=r"has 3,221,225,472 bytes, and a graph has at most 2,147,483,647"):
        read_onnx_file(folder / "large.onnx")


def test_a_file_larger_than_the_free_memory_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "available_bytes", lambda: 300)
    with pytest.raises(CannotRun, match=r"takes about 0\.0 GB of memory, and 0\.0 GB are free"):
        read_onnx_file(folder / "weights.bin")


def test_a_graph_of_many_nodes_takes_no_longer_than_its_nodes(tmp_path: Path) -> None:
    """With a search from each node, the two chains would take hours."""
    count = 50_000
    model = small()
    del model.graph.node[:]
    model.graph.node.append(helper.make_node("Gather", ["embedding", "input_ids"], ["i0"]))
    for at in range(count):
        model.graph.node.append(NodeProto(op_type="Identity", input=[f"i{at}"], output=[f"i{at + 1}"]))
    for at in range(count):
        model.graph.node.append(NodeProto(op_type="Add", input=[f"i{count}", f"i{count}"], output=[f"a{at}"]))
        model.graph.node.append(NodeProto(op_type="LayerNormalization", input=[f"a{at}"], output=[f"n{at}"]))
    model.graph.node.append(helper.make_node("MatMul", ["i0", "head"], ["logits"]))
    path = tmp_path / "many.onnx"
    path.write_bytes(model.SerializeToString())
    file = read_onnx_file(path)
    check_model(file, FACTS | {"layers": 0})
    assert len(residual_stream(file.model.graph)) <= count + 1

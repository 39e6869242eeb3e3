"""ONNX files: no graphs, graphs that nothing can run, names that take the terminal, and tensors in other files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from onnx import FunctionProto, ModelProto, TensorProto, helper

from benchmarks.hostile_cases.case import DONE, Case, Make, mechanism
from benchmarks.hostile_cases.common import FILES, GIT_LFS, LONG, TITLE, VERY_LONG, WITH_MODEL
from benchmarks.hostile_cases.files import after, file, folder, link, pipe, sparse
from benchmarks.hostile_cases.tiny_graphs import (
    BASELINE,
    FILE,
    VOCABULARY,
    Edit,
    constant,
    external,
    files,
    graph,
    own_operator,
    with_node,
)


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _no_graphs()
    yield from _structures()
    yield from _inputs_and_outputs()
    yield from _nodes()
    yield from _names()
    yield from _external()


def _no_graphs() -> Iterator[Case]:
    of = mechanism("ONNX: a file that is none", codes=(2,), fast=True)
    yield of("missing", *FILES)
    yield of("a folder", *FILES, make=after(files(), folder(FILE)))
    yield of("a pipe", *FILES, make=after(files(), pipe(FILE)))
    yield of("a link to itself", *FILES, make=after(files(), link(FILE, FILE)))
    yield of("a link to nothing", *FILES, make=after(files(), link(FILE, "none")))
    yield of("a device without an end", *FILES, make=after(files(), link(FILE, "/dev/zero")))
    yield of("the baseline is a folder", *FILES, make=after(files(), folder(BASELINE)))
    yield of("the baseline is a pipe", *FILES, make=after(files(), pipe(BASELINE)))
    yield of("below a file", "compare", "--onnx", f"{FILE}/x", "--baseline", BASELINE, make=files())
    yield of("with a model, a pipe", *WITH_MODEL, make=pipe(FILE))

    of = mechanism("ONNX: bytes that are no graph", codes=(2,), fast=True)
    content = graph().SerializeToString()
    for words, given in {
        "empty": b"",
        "a text": b"model\n",
        "zeros": bytes(1000),
        "ones": b"\xff" * 1000,
        "random": np.random.default_rng(0).bytes(5000),
        "JSON": b'{"ir_version": 10}',
        "PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "a pointer of Git LFS": GIT_LFS,
        "half of a graph": content[: len(content) // 2],
        "all but a byte": content[:-1],
        "a length beyond the end": content[:20] + b"\x3a\xff\xff\xff\xff\x0f",
        "a graph twice": content + content,
    }.items():
        codes = (0, 2, 3) if words == "a graph twice" else (2,)
        yield of(words, *FILES, make=after(files(), file(FILE, given)), codes=codes, fast=codes == (2,))

    of = mechanism("ONNX: very large files", codes=(2, 3))
    for size in (3 * 10**9, 10**12):
        yield of(f"{size:,} zeros", *FILES, make=after(files(), sparse(FILE, size)))
    yield of("a graph and 3 GB of zeros", *FILES, make=after(files(), sparse(FILE, 3 * 10**9, content)))
    yield of("with a model", *WITH_MODEL, make=sparse(FILE, 10**12))


def _structures() -> Iterator[Case]:
    yield from _parts_that_are_missing()
    yield from _versions_that_are_none()
    yield from _names_that_are_used_twice()
    yield from _bytes_that_are_no_text()
    yield from _graphs_in_graphs()
    yield from _very_many_parts()


def _parts_that_are_missing() -> Iterator[Case]:
    of = mechanism("ONNX: parts that are missing", codes=(2,), fast=True)
    for part in ("node", "output", "input", "initializer"):
        fast = part in ("node", "output")
        yield of(
            f"no {part}",
            *FILES,
            make=files(lambda m, part=part: m.graph.ClearField(part)),
            codes=(2,) if fast else (2, 3),
            fast=fast,
        )
    for part in ("graph", "opset_import", "ir_version"):
        yield of(f"no {part}", *FILES, make=files(lambda m, part=part: m.ClearField(part)))
    yield of(
        "no initializer, in both",
        *FILES,
        make=files(lambda m: m.graph.ClearField("initializer"), both=True),
        fast=False,
        codes=(2, 3),
    )


def _versions_that_are_none() -> Iterator[Case]:
    of = mechanism("ONNX: versions that are none", codes=(2, 3))
    for number in (0, -1, 999, 2**62):
        yield of(f"IR {number}", *FILES, make=files(lambda m, n=number: setattr(m, "ir_version", n), both=True))
    for number in (0, -1, 999, 2**62):
        yield of(
            f"opset {number}",
            *FILES,
            make=files(lambda m, n=number: setattr(m.opset_import[0], "version", n), both=True),
        )
    yield of(
        "opset of another domain alone",
        *FILES,
        make=files(lambda m: setattr(m.opset_import[0], "domain", "bogus"), both=True),
    )
    yield of(
        "two opsets of one domain",
        *FILES,
        make=files(lambda m: m.opset_import.add(domain="", version=1) and None, both=True),
    )


def _names_that_are_used_twice() -> Iterator[Case]:
    of = mechanism("ONNX: names that are used twice", codes=(0, 2, 3))
    yield of(
        "outputs",
        *FILES,
        make=files(lambda m: m.graph.output.append(m.graph.output[0]), both=True),
        codes=(2,),
        fast=True,
    )
    yield of(
        "outputs of one file",
        *FILES,
        make=files(lambda m: m.graph.output.append(m.graph.output[0])),
        codes=(2,),
        fast=True,
    )
    yield of(
        "outputs, with a model",
        *WITH_MODEL,
        make=files(lambda m: m.graph.output.append(m.graph.output[0])),
        codes=(2,),
        fast=True,
    )
    yield of("inputs", *FILES, make=files(lambda m: m.graph.input.append(m.graph.input[0]), both=True))
    yield of(
        "initializers", *FILES, make=files(lambda m: m.graph.initializer.append(m.graph.initializer[0]), both=True)
    )
    yield of(
        "nodes that make one tensor", *FILES, make=files(lambda m: m.graph.node.append(m.graph.node[0]), both=True)
    )
    yield of("names of nodes", *FILES, make=files(lambda m: setattr(m.graph.node[0], "name", "project"), both=True))
    yield of("metadata", *FILES, make=files(_metadata_twice, both=True))
    yield of(
        "metadata of taps",
        *FILES,
        make=files(lambda m: helper.set_model_props(m, {"tap logits": "attention.0"}), both=True),
    )


def _bytes_that_are_no_text() -> Iterator[Case]:
    of = mechanism("ONNX: bytes that are no text", codes=(2, 3))
    for word in (b"Gather", b"MatMul", b"hidden", b"tiny", b"batch", b"logits", b"input_ids", b"table", b"embed"):
        broken = word[:-2] + b"\xff\xfe"
        yield of(
            word.decode(),
            *FILES,
            make=files(lambda m, w=word, b=broken: m.SerializeToString().replace(w, b)),
            codes=(0, 2, 3),
        )
        yield of(
            f"{word.decode()}, in both",
            *FILES,
            make=files(lambda m, w=word, b=broken: m.SerializeToString().replace(w, b), both=True),
            codes=(0, 2, 3),
        )


def _graphs_in_graphs() -> Iterator[Case]:
    of = mechanism("ONNX: graphs in graphs", codes=(2, 3))
    for depth in (10, 20, 30):
        yield of(
            f"{depth} deep", *FILES, make=files(lambda m, depth=depth: _nested(m, depth), both=True), codes=(0, 2, 3)
        )
    for depth in (100, 10_000):
        content = graph().SerializeToString() + _deep(depth)
        yield of(f"{depth:,} deep, as bytes", *FILES, make=after(files(), file(FILE, content)))
    yield of("a function that calls itself", *FILES, make=files(_calls_itself, both=True))
    yield of("functions that double, 30 deep", *FILES, make=files(_doubling, both=True), seconds=120)


def _very_many_parts() -> Iterator[Case]:
    of = mechanism("ONNX: very many parts", codes=(0, 2, 3), seconds=120)
    yield of("20,000 nodes", *FILES, make=files(_long, both=True))
    yield of("100,000 inputs of a node", *FILES, make=files(_wide, both=True))
    for count in (8_000, 20_000):
        yield of(f"{count:,} outputs", *FILES, make=files(lambda m, count=count: _outputs(m, count), both=True))
    yield of(
        "100,000 entries of metadata",
        *FILES,
        make=files(lambda m: helper.set_model_props(m, {f"k{n}": "v" for n in range(100_000)}), both=True),
    )
    yield of("a name of 10 MB", *FILES, make=files(lambda m: setattr(m.graph, "name", "n" * 10**7), both=True))


def _metadata_twice(model: ModelProto) -> None:
    for value in "ab":
        model.metadata_props.add(key="k", value=value)


def _nested(model: ModelProto, depth: int) -> None:
    """Put an If into a branch of an If, and so on."""
    out = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    leaf = helper.make_graph([helper.make_node("Constant", [], ["x"], value_floats=[1.0])], "leaf", [], [out])
    inner = leaf
    for _ in range(depth):
        node = helper.make_node("If", ["yes"], ["x"], then_branch=inner, else_branch=leaf)
        inner = helper.make_graph([node], "branch", [], [out])
    constant(model, "yes", np.array(True))
    model.graph.node.insert(0, helper.make_node("If", ["yes"], ["nested"], then_branch=inner, else_branch=leaf))


def _deep(depth: int) -> bytes:
    """Return the field of a model with a graph in an attribute of a node of a graph, and so on."""
    content = b""
    for _ in range(depth):
        for field in (6, 5, 1):  # the graph of an attribute, an attribute of a node, a node of a graph
            content = _field(field, content)
    return _field(7, content)


def _field(number: int, content: bytes) -> bytes:
    """Return a field of a protobuf message that is a message."""
    length, left = bytearray(), len(content)
    while left > 127:
        length.append(left & 127 | 128)
        left >>= 7
    return bytes([number << 3 | 2, *length, left]) + content


def _calls_itself(model: ModelProto) -> None:
    body = [helper.make_node("Self", ["a"], ["b"], domain="own")]
    _functions(
        model, [helper.make_function("own", "Self", ["a"], ["b"], body, [helper.make_opsetid("own", 1)])], "Self"
    )


def _doubling(model: ModelProto) -> None:
    """Add functions of which each calls the next one twice."""
    opsets = [helper.make_opsetid("own", 1), helper.make_opsetid("", 20)]
    made = []
    for depth in range(30):
        kind, domain = (f"F{depth + 1}", "own") if depth < 29 else ("Neg", "")
        body = [
            helper.make_node(kind, ["a"], ["c"], domain=domain),
            helper.make_node(kind, ["c"], ["b"], domain=domain),
        ]
        made.append(helper.make_function("own", f"F{depth}", ["a"], ["b"], body, opsets))
    _functions(model, made, "F0")


def _functions(model: ModelProto, made: list[FunctionProto], first: str) -> None:
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.functions.extend(made)
    model.graph.node[0].output[0] = "looked_up"
    model.graph.node.insert(1, helper.make_node(first, ["looked_up"], ["hidden"], domain="own"))


def _long(model: ModelProto) -> None:
    model.graph.node[0].output[0] = "t0"
    model.graph.node.extend(helper.make_node("Neg", [f"t{n}"], [f"t{n + 1}"]) for n in range(20_000))
    model.graph.node.append(helper.make_node("Identity", ["t20000"], ["hidden"]))
    last = model.graph.node.pop(1)
    model.graph.node.append(last)


def _wide(model: ModelProto) -> None:
    model.graph.node[0].output[0] = "looked_up"
    model.graph.node.insert(1, helper.make_node("Max", ["looked_up"] * 100_000, ["hidden"]))


def _outputs(model: ModelProto, count: int) -> None:
    for number in range(count):
        model.graph.node.append(helper.make_node("Identity", ["hidden"], [f"hidden_state.{number}"]))
        model.graph.output.append(helper.make_tensor_value_info(f"hidden_state.{number}", TensorProto.FLOAT, None))


def _inputs_and_outputs() -> Iterator[Case]:
    yield from _inputs_that_cannot_be_made()
    yield from _outputs_that_are_none()
    yield from _another_model_s_file()


def _inputs_that_cannot_be_made() -> Iterator[Case]:
    of = mechanism("ONNX: inputs that cannot be made", codes=(2, 3), fast=True)
    for words, value in {
        "unknown": helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, 8, 8]),
        "without a name": helper.make_tensor_value_info("", TensorProto.FLOAT, [1]),
        "of strings": helper.make_tensor_value_info("texts", TensorProto.STRING, ["batch"]),
        "of an unknown type": helper.make_tensor_value_info("typed", 99, ["batch"]),
        "a sequence": helper.make_tensor_sequence_value_info("many", TensorProto.FLOAT, None),
        "a sparse one": helper.make_sparse_tensor_value_info("few", TensorProto.FLOAT, [1]),
        "without a type": helper.make_empty_tensor_value_info("nothing"),
        "that takes the terminal": helper.make_tensor_value_info(TITLE, TensorProto.FLOAT, [1]),
    }.items():
        yield of(words, *FILES, make=files(lambda m, v=value: m.graph.input.append(v), both=True))
    shapes: dict[str, list[Any]] = {
        "of 3 sequences": [3, "s"],
        "of 5 tokens": ["b", 5],
        "of 3 dimensions": ["b", "s", "t"],
        "of size -1": [-1, -1],
        "of size 10^18": [10**18, 10**18],
        "of size 0": [0, 0],
    }
    for words, shape in shapes.items():
        value = helper.make_tensor_value_info("input_ids", TensorProto.INT64, shape)
        yield of(words, *FILES, make=files(lambda m, v=value: m.graph.input[0].CopyFrom(v), both=True))
    past = [
        helper.make_tensor_value_info(f"past_key_values.{n}.key", TensorProto.FLOAT, [1, 10**9, 0, 10**9])
        for n in range(3)
    ]
    yield of(
        "a past of 10^18",
        *FILES,
        make=files(lambda m: m.graph.input.extend(past), both=True),
        codes=(0, 2, 3),
        fast=False,
    )
    far = helper.make_tensor_value_info(f"past_key_values.{'9' * 30}.key", TensorProto.FLOAT, ["b", 1, "p", 1])
    yield of(
        "a layer of 30 digits",
        *FILES,
        make=files(lambda m: m.graph.input.append(far), both=True),
        codes=(0, 2, 3),
        fast=False,
    )


def _outputs_that_are_none() -> Iterator[Case]:
    of = mechanism("ONNX: outputs that are none", codes=(2, 3))
    for words, value in {
        "strings": helper.make_tensor_value_info("logits", TensorProto.STRING, None),
        "integers": helper.make_tensor_value_info("logits", TensorProto.INT64, ["b", "s", VOCABULARY]),
        "two dimensions": helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", VOCABULARY]),
        "one token": helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", 1, VOCABULARY]),
        "no dimensions": helper.make_tensor_value_info("logits", TensorProto.FLOAT, []),
        "10^18 tokens": helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", "s", 10**18]),
        "-1 tokens": helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", "s", -1]),
        "a sequence": helper.make_tensor_sequence_value_info("logits", TensorProto.FLOAT, None),
        "without a type": helper.make_empty_tensor_value_info("logits"),
    }.items():
        codes = (0, 1, 2, 3) if words in ("without a type", "-1 tokens", "10^18 tokens") else (2, 3)
        yield of(words, *FILES, make=files(lambda m, v=value: m.graph.output[0].CopyFrom(v), both=True), codes=codes)
    yield of(
        "that nothing makes",
        *FILES,
        make=files(lambda m: m.graph.output.append(helper.make_tensor_value_info("ghost", 1, None)), both=True),
    )
    yield of(
        "another name",
        *FILES,
        make=files(lambda m: setattr(m.graph.output[0], "name", "scores"), both=True),
        codes=(2,),
        fast=True,
    )
    yield of(
        "a layer of 30 digits",
        *FILES,
        make=files(lambda m: _renamed_hidden(m, f"hidden_state.{'9' * 30}"), both=True),
        codes=(0, 2, 3),
    )
    yield of(
        "a layer of 10^9",
        *FILES,
        make=files(lambda m: _renamed_hidden(m, "attention.1000000000"), both=True),
        codes=(0, 2, 3),
    )
    yield of(
        "a layer below 0", *FILES, make=files(lambda m: _renamed_hidden(m, "attention.-1"), both=True), codes=(0, 2, 3)
    )
    yield of(
        "a layer in other digits",
        *FILES,
        make=files(lambda m: _renamed_hidden(m, "attention.٣"), both=True),
        codes=(0, 2, 3),
    )


def _another_model_s_file() -> Iterator[Case]:
    of = mechanism("ONNX: another model's file", codes=(2,), needs=("byte-gpt2",), seconds=120)
    yield of("of other layers", *WITH_MODEL, make=files(lambda m: _renamed_hidden(m, "attention.7")))
    yield of("without logits", *WITH_MODEL, make=files(lambda m: setattr(m.graph.output[0], "name", "scores")))
    yield of("an encoder's", *WITH_MODEL, make=files(lambda m: _as_encoder(m)))


def _renamed_hidden(model: ModelProto, name: str) -> None:
    model.graph.node.append(helper.make_node("Identity", ["hidden"], [name]))
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))


def _as_encoder(model: ModelProto) -> None:
    model.graph.output[0].name = model.graph.node[1].output[0] = "last_hidden_state"


def _nodes() -> Iterator[Case]:
    yield from _operators_that_do_not_run()
    yield from _graphs_that_fail_while_they_run()
    yield from _tensors_that_are_none()


def _operators_that_do_not_run() -> Iterator[Case]:
    of = mechanism("ONNX: operators that do not run", codes=(2, 3))
    for words, kind, domain in (
        ("unknown", "Bogus", ""),
        ("of an unknown domain", "Neg", "bogus"),
        ("of contrib ops", "Bogus", "com.microsoft"),
    ):
        yield of(words, *FILES, make=files(lambda m, k=kind, d=domain: own_operator(m, k, d), both=True))
        yield of(
            f"{words}, in one file", *FILES, make=files(lambda m, k=kind, d=domain: own_operator(m, k, d)), codes=(2, 3)
        )
    yield of("without inputs", *FILES, make=files(lambda m: m.graph.node[0].ClearField("input"), both=True))
    yield of(
        "of undefined inputs", *FILES, make=files(lambda m: m.graph.node[0].input.__setitem__(0, "ghost"), both=True)
    )
    yield of("in a circle", *FILES, make=files(lambda m: m.graph.node[0].input.__setitem__(0, "logits"), both=True))
    yield of(
        "an axis of 99",
        *FILES,
        make=files(lambda m: m.graph.node[0].attribute.append(helper.make_attribute("axis", 99)), both=True),
    )
    yield of(
        "an axis of text",
        *FILES,
        make=files(lambda m: m.graph.node[0].attribute.append(helper.make_attribute("axis", "x")), both=True),
    )
    yield of(
        "an unknown attribute",
        *FILES,
        make=files(lambda m: m.graph.node[0].attribute.append(helper.make_attribute("bogus", 1)), both=True),
    )
    yield of(
        "contrib ops without attributes",
        *FILES,
        make=files(lambda m: own_operator(m, "Attention", "com.microsoft"), both=True),
    )
    yield of("shapes that do not fit", *FILES, make=files(_other_shape, both=True))


def _graphs_that_fail_while_they_run() -> Iterator[Case]:
    of = mechanism("ONNX: graphs that fail while they run", codes=(2, 3))
    yield of("ids beyond the table", *FILES, make=files(_short_table, both=True))
    yield of("a division by 0", *FILES, make=files(_divides, both=True))
    yield of("a reshape to something else", *FILES, make=files(_reshapes, both=True))
    yield of("a tensor of 10^12 numbers", *FILES, make=files(lambda m: _fills(m, 10**12), both=True))
    yield of("a tensor of 10^18 numbers", *FILES, make=files(lambda m: _fills(m, 10**18), both=True))
    yield of("a loop without an end", *FILES, "--timeout", "10", make=files(_loops, both=True))
    yield of("a loop without an end in one file", *FILES, "--timeout", "10", make=files(_loops), codes=(2, 3))
    yield of("NaN", *FILES, make=files(_not_a_number, both=True), codes=(0, 1))
    yield of("NaN in one file", *FILES, make=files(_not_a_number), codes=(1,))


def _tensors_that_are_none() -> Iterator[Case]:
    of = mechanism("ONNX: tensors that are none", codes=(2, 3))
    edits: dict[str, Edit] = {
        "fewer bytes than numbers": lambda m: setattr(m.graph.initializer[0], "raw_data", b"abc"),
        "no bytes": lambda m: m.graph.initializer[0].ClearField("raw_data"),
        "a size below 0": lambda m: m.graph.initializer[0].dims.__setitem__(0, -1),
        "a size of 10^18": lambda m: m.graph.initializer[0].dims.__setitem__(0, 10**18),
        "sizes whose product overflows": lambda m: m.graph.initializer[0].dims.extend([2**32, 2**32]),
        "no type": lambda m: setattr(m.graph.initializer[0], "data_type", 0),
        "type 99": lambda m: setattr(m.graph.initializer[0], "data_type", 99),
        "type string": lambda m: setattr(m.graph.initializer[0], "data_type", TensorProto.STRING),
        "type int4": lambda m: setattr(m.graph.initializer[0], "data_type", TensorProto.INT4),
        "two forms": lambda m: m.graph.initializer[0].float_data.extend([1.0] * 4),
        "no name": lambda m: m.graph.initializer[0].ClearField("name"),
        "a segment": lambda m: setattr(m.graph.initializer[0].segment, "begin", 5),
        "sparse ones without values": lambda m: m.graph.sparse_initializer.add() and None,
    }
    for words, edit in edits.items():
        may = (0, 2, 3) if words in ("two forms", "a segment", "sparse ones without values") else (2, 3)
        yield of(words, *FILES, make=files(edit, both=True), codes=may)


def _named(model: ModelProto, name: str) -> None:
    model.graph.name = name
    own_operator(model, "Bogus", "")


def _other_shape(model: ModelProto) -> None:
    constant(model, "three", np.ones((3, 7), np.float32))
    model.graph.node[1].input[1] = "three"


def _short_table(model: ModelProto) -> None:
    constant(model, "short", np.ones((2, 4), np.float32))
    model.graph.node[0].input[0] = "short"


def _divides(model: ModelProto) -> None:
    constant(model, "nothing", np.zeros((), np.int64))
    with_node(model, "Div", ["input_ids", "nothing"], ["divided"])
    model.graph.node[1].input[1] = "divided"


def _reshapes(model: ModelProto) -> None:
    constant(model, "shape", np.array([7, 7, 7]))
    model.graph.node[0].output[0] = "looked_up"
    model.graph.node.insert(1, helper.make_node("Reshape", ["looked_up", "shape"], ["hidden"]))


def _fills(model: ModelProto, numbers: int) -> None:
    """Add the sum of a tensor of so many ones."""
    constant(model, "size", np.array([numbers]))
    constant(model, "one", np.ones(1, np.float32))
    model.graph.node[0].output[0] = "looked_up"
    added = [
        helper.make_node("Expand", ["one", "size"], ["ones"]),
        helper.make_node("ReduceSum", ["ones"], ["sum"], keepdims=0),
        helper.make_node("Add", ["looked_up", "sum"], ["hidden"]),
    ]
    for node in reversed(added):
        model.graph.node.insert(1, node)


def _loops(model: ModelProto) -> None:
    """Add a loop of 2^62 rounds."""
    infos = [
        helper.make_tensor_value_info("round", TensorProto.INT64, []),
        helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
    ]
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["goes"]), helper.make_node("Sin", ["state"], ["next"])],
        "body",
        infos,
        [
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    constant(model, "rounds", np.array(2**62))
    constant(model, "start", np.array(True))
    model.graph.node[0].output[0] = "looked_up"
    model.graph.node.insert(1, helper.make_node("Loop", ["rounds", "start", "looked_up"], ["hidden"], body=body))


def _not_a_number(model: ModelProto) -> None:
    model.graph.node[0].output[0] = "looked_up"
    model.graph.node.insert(1, helper.make_node("Neg", ["looked_up"], ["negative"]))
    model.graph.node.insert(2, helper.make_node("Abs", ["looked_up"], ["positive"]))
    model.graph.node.insert(3, helper.make_node("Neg", ["positive"], ["below"]))
    model.graph.node.insert(4, helper.make_node("Sqrt", ["below"], ["hidden"]))


def _names() -> Iterator[Case]:
    of = mechanism("ONNX: names that take the terminal", codes=(2, 3))
    taken = f"{TITLE}\x1b[31m\x9b7m\u202e"
    edits: dict[str, Edit] = {
        "an operator": lambda m: own_operator(m, taken, ""),
        "a domain": lambda m: own_operator(m, "Neg", taken),
        "a node": lambda m: own_operator(m, "Bogus", "", name=taken),
        "an undefined tensor": lambda m: m.graph.node[0].input.__setitem__(0, taken),
        "the graph": lambda m: _named(m, taken),
        "an attribute": lambda m: m.graph.node[0].attribute.append(helper.make_attribute(taken, 1)),
        "a dimension": lambda m: m.graph.input[0].CopyFrom(helper.make_tensor_value_info("input_ids", 7, [taken, 5])),
        "an input": lambda m: m.graph.input.append(helper.make_tensor_value_info(taken, 1, [1])),
        "an initializer": lambda m: setattr(m.graph.initializer[0], "name", taken),
        "the only output": lambda m: setattr(m.graph.output[0], "name", taken),
        "an operator of lines": lambda m: own_operator(m, "Bogus\nerror: a second line\n", ""),
        "an operator of 100 kB": lambda m: own_operator(m, "B" * 100_000, ""),
    }
    for words, edit in edits.items():
        yield of(words, *FILES, make=files(edit, both=True))
    edits = {
        "an operator, in one file": lambda m: own_operator(m, taken, ""),
        "a domain, in one file": lambda m: own_operator(m, "Neg", taken),
    }
    for words, edit in edits.items():
        for shape in ("terminal", "full", "markdown", "quiet", "json"):
            yield of(f"{words}, {shape}", *FILES, "--format", shape, make=files(edit), codes=(2, 3))
    of = mechanism("ONNX: legal names that take the terminal", codes=DONE, seconds=120)
    further: list[Edit] = [
        lambda m: _renamed_hidden(m, taken),
        lambda m: setattr(m, "doc_string", taken),
        lambda m: setattr(m, "producer_name", taken),
        lambda m: helper.set_model_props(m, {taken: taken}),
        lambda m: setattr(m.graph.node[0], "name", taken),
        lambda m: _renamed_hidden(m, "[/red]"),
        lambda m: _renamed_hidden(m, "$x_{"),
        lambda m: _renamed_hidden(m, "<img src=x>|`"),
    ]
    words = ("a further output", "the description", "the producer", "the metadata", "a node", "markup", "TeX", "HTML")
    for each, edit in zip(words, further, strict=True):
        yield of(each, *FILES, "--full", make=files(edit, both=True))
        yield of(f"{each}, in Markdown", *FILES, "--format", "markdown", make=files(edit, both=True), lacks=("<img",))
    for name in (f"{taken}.onnx", "a\nb.onnx", "[bold].onnx", "$x_{.onnx", f"{LONG[:240]}.onnx"):
        moved = after(files(), _moved(name))
        codes = DONE if name.isprintable() else (2,)
        command = ("compare", "--onnx", f"./{name}", *FILES[3:], "--full")
        yield of(f"the file {name[:30]!a}", *command, make=moved, codes=codes)


def _moved(name: str) -> Make:
    def made(work: Path) -> None:
        (work / FILE).rename(work / name)

    return made


def _external() -> Iterator[Case]:
    yield from _where_it_is()
    yield from _what_of_it()


def _where_it_is() -> Iterator[Case]:
    of = mechanism("external data: where it is", codes=(2,), fast=True)
    for words, location in {
        "above the folder": "../x",
        "far above": "../../../../etc/passwd",
        "absolute": "/etc/passwd",
        "of Windows": "..\\x",
        "a drive": "C:\\x",
        "a share": "\\\\host\\x",
        "missing": "none",
        "empty": "",
        "a dot": ".",
        "the graph itself": FILE,
        "too long": LONG,
        "much too long": VERY_LONG,
        "a zero byte": "a\0b",
        "control characters": TITLE,
        "back inside": "a/../../x",
        "an address": "https://example.com/x",
    }.items():
        codes = (0, 1, 2, 3) if words == "the graph itself" else (2,)
        yield of(words, *FILES, make=files(lambda m, w=location: external(m, w)), codes=codes, fast=codes == (2,))
    there = files(lambda m: external(m, "data", offset=0, length=4096))
    for words, make in {
        "a pipe": pipe("data"),
        "a folder": folder("data"),
        "a link to itself": link("data", "data"),
        "a link out of the folder": link("data", "/etc/passwd"),
        "a device without an end": link("data", "/dev/zero"),
        "empty": file("data"),
    }.items():
        yield of(f"the file is {words}", *FILES, make=after(there, make))


def _what_of_it() -> Iterator[Case]:
    of = mechanism("external data: what of it", codes=(2, 3), fast=True)
    data = file("data", bytes(4096))
    entries: dict[str, dict[str, Any]] = {
        "an offset beyond the end": {"offset": 10**9},
        "an offset below 0": {"offset": -1},
        "an offset of words": {"offset": "x"},
        "an offset of 5000 digits": {"offset": "9" * 5000},
        "a length beyond the end": {"length": 10**18},
        "a length below 0": {"length": -1},
        "a length in other digits": {"length": "٣٣٣٣٣"},
        "a fraction": {"length": "1.5"},
    }
    for words, more in entries.items():
        yield of(words, *FILES, make=after(files(lambda m, more=more: external(m, "data", **more)), data))
    entries = {
        "too short a length": {"length": 4},
        "an unknown key": {"bogus": "x"},
        "a wrong checksum": {"checksum": "0"},
    }
    for words, more in entries.items():
        codes = (2, 3) if "short" in words else (0, 1, 2, 3)
        yield of(
            words,
            *FILES,
            make=after(files(lambda m, more=more: external(m, "data", **more)), data),
            codes=codes,
            fast=False,
        )
    yield of("no entries", *FILES, make=files(_external_without_entries), codes=(2,))
    yield of(
        "the name of a graph",
        *FILES,
        make=after(files(lambda m: external(m, "deploy.onnx")), file("deploy.onnx", bytes(4096))),
        fast=False,
    )
    yield of(
        "another name of a graph",
        *FILES,
        make=after(files(lambda m: external(m, "inspect.onnx")), file("inspect.onnx", bytes(4096))),
        fast=False,
    )
    yield of(
        "100 GB of zeros",
        *FILES,
        make=after(files(lambda m: external(m, "data", length=4096)), sparse("data", 10**11)),
        codes=(0, 1, 2, 3),
        fast=False,
    )
    yield of("100 GB that are read", *FILES, make=after(files(_large_external), sparse("data", 10**11)), fast=False)


def _external_without_entries(model: ModelProto) -> None:
    model.graph.initializer[0].ClearField("raw_data")
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL


def _large_external(model: ModelProto) -> None:
    model.graph.initializer[0].dims[0] = 25 * 10**9 // 4
    external(model, "data", length=10**11)

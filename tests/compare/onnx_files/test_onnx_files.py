"""Any ONNX file against the model: what is read, matched and fed, and what is refused in one line."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compare.onnx_files.matching import check_inputs, check_model, exposed, layers_of, tap_of, vocabulary_of
from compare.onnx_files.reading import OnnxFile, read_onnx_file
from compare.onnx_files.staging import stage
from compare.pipeline.compare_model import compare
from compare.pipeline.inputs import Inputs
from compare.pipeline.settings import Settings
from compare.report import wording
from compare.report.gap_parts import RuntimePart
from compare.report.schema import Report
from compare.runtimes.onnx_inputs import GraphInput, feed
from export.cache import Entry
from export.errors import BadInput, CannotRun

INSIDE = ["attention.0", "attention.1"]


def inline(entry: Entry, graph: str = "inspect.onnx") -> onnx.ModelProto:
    """A graph of an entry with its weights in it."""
    return onnx.load(entry.folder / graph)


def saved(model: onnx.ModelProto, path: Path) -> Path:
    onnx.save(model, path)
    return path


def renamed(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    """The graph with other names for its tensors."""
    for node in model.graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = [names.get(name, name) for name in tensors]
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    return model


def fixed(model: onnx.ModelProto, batch: int, sequence: int) -> onnx.ModelProto:
    """The graph with both free dimensions of its inputs and of its logits set."""
    logits = next(value for value in model.graph.output if value.name == "logits")
    for value in (*model.graph.input, logits):
        for place, size in enumerate((batch, sequence)):
            value.type.tensor_type.shape.dim[place].dim_value = size
    return model


def compared(file: Path, tiny_folder: Path, out: Path, **more) -> RuntimePart:
    """The row of a file."""
    common = {"text": "To be, or not", "runtimes": [], "latency": False, "threads": 1, "out": out, "onnx": file}
    report = compare(str(tiny_folder), Settings.of(**common | more))
    assert [runtime.name for runtime in report.runtimes] == ["torch-eager", "onnx-file"]
    return report.runtimes[-1]


def test_a_graph_of_ours_is_compared_whole(entry: Entry, tiny_folder: Path, tmp_path: Path) -> None:
    row = compared(entry.folder / "inspect.onnx", tiny_folder, tmp_path, latency=True, decode=False, time=0.1)
    latency = Report.read(tmp_path).latency
    assert [timed.runtime for timed in latency] == ["torch-eager", "torch-eager", "onnx-file"]
    assert latency[-1].ratio is not None
    assert row.verdict is not None and row.graph is not None
    assert row.verdict.kind == "rounding"
    assert all(gap.exposed for gap in row.gaps)
    assert row.graph.file == "inspect.onnx"
    assert row.graph.bytes == sum((entry.folder / f).stat().st_size for f in ("inspect.onnx", "model.safetensors"))
    assert row.graph.fed == ["input_ids", "attention_mask"]
    assert row.graph.unmatched == []
    assert (entry.folder / "model.safetensors").stat().st_nlink == 1  # onnx refuses weights that go by two names


def test_other_names_are_matched_and_the_rest_is_listed(entry: Entry, tiny_folder: Path, tmp_path: Path) -> None:
    names = {f"attention.{i}": f"attentions.{i}" for i in range(2)}
    names |= {f"{kind}.{i}": f"present.{i}.{kind}" for i in range(2) for kind in ("key", "value")}
    names |= {f"hidden_state.{i}": f"hidden_states.{i}" for i in range(3)} | {"mid_state.0": "mine"}
    model = renamed(inline(entry), names)
    model.graph.node.append(helper.make_node("ReduceMean", ["logits"], ["loss"]))
    model.graph.output.append(helper.make_tensor_value_info("loss", TensorProto.FLOAT, None))
    file = saved(model, tmp_path / "other.onnx")
    row = compared(file, tiny_folder, tmp_path / "out")
    assert row.verdict is not None and row.graph is not None
    assert row.verdict.kind == "rounding"
    assert row.graph.unmatched == ["loss"]
    assert row.graph.found == ["mid_state.0", "hidden_state.2"]  # by structure: no tensor goes by the names they have


def test_a_fault_in_a_file_is_placed(entry: Entry, tiny_folder: Path, tmp_path: Path) -> None:
    model = inline(entry)
    bias = next(t for t in model.graph.initializer if t.name.endswith("h.1.mlp.c_proj.bias"))
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) * 0, bias.name))
    row = compared(saved(model, tmp_path / "faulty.onnx"), tiny_folder, tmp_path / "out")
    assert row.verdict is not None
    assert (row.verdict.kind, row.verdict.place) == ("different", "layer 1, norm and MLP")


@pytest.mark.optimum
@pytest.mark.parametrize("task", ["text-generation", "text-generation-with-past"])
def test_what_optimum_writes_is_fed_and_compared(entry: Entry, tiny_folder: Path, tmp_path: Path, task: str) -> None:
    from optimum.exporters.onnx import main_export

    main_export(str(entry.folder), tmp_path, task=task, do_validation=False, local_files_only=True)
    row = compared(tmp_path / "model.onnx", tiny_folder, tmp_path / "out")
    assert row.verdict is not None and row.graph is not None
    assert row.verdict.kind == "rounding"
    assert "position_ids" in row.graph.fed
    past = task.endswith("past")
    assert ("past_key_values.1.value" in row.graph.fed) == past
    named = [gap.tensor for gap in row.gaps if gap.exposed and gap.tensor not in row.graph.found]
    assert named == (["key.0", "value.0", "key.1", "value.1", "logits"] if past else ["logits"])


def test_ids_of_32_bits_and_fixed_shapes(entry: Entry, tiny_folder: Path, tmp_path: Path) -> None:
    model = fixed(inline(entry), 1, 13)
    for value in model.graph.input:
        value.type.tensor_type.elem_type = TensorProto.INT32
    casts = [helper.make_node("Cast", [v.name], [f"{v.name}.long"], to=TensorProto.INT64) for v in model.graph.input]
    model = renamed(model, {})
    for node in model.graph.node:
        node.input[:] = [f"{n}.long" if n in ("input_ids", "attention_mask") else n for n in node.input]
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    file = saved(model, tmp_path / "fixed.onnx")
    row = compared(file, tiny_folder, tmp_path / "out")
    assert row.verdict is not None
    assert row.verdict.kind == "rounding"
    with pytest.raises(BadInput, match=r"takes input_ids of \(1, 13\) alone.*; set sequence to 13$"):
        compared(file, tiny_folder, tmp_path / "out", sequence=12)


def test_weights_in_half_precision_are_said(entry: Entry, tiny_folder: Path, tmp_path: Path) -> None:
    """Stored in fp16 and computed in float32: the numbers show it, and the row says what it is."""
    model = inline(entry)
    for tensor in list(model.graph.initializer):
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) > 100:
            half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{tensor.name}.half")
            model.graph.initializer.remove(tensor)
            model.graph.initializer.append(half)
            model.graph.node.insert(0, helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
    row = compared(saved(model, tmp_path / "half.onnx"), tiny_folder, tmp_path / "out")
    assert row.verdict is not None and row.graph is not None
    assert row.graph.halves == ["float16"]
    assert (row.verdict.kind, row.verdict.precision) == ("reduced precision", "fp16 or TF32")


def test_the_row_says_what_the_file_is(entry: Entry, tiny_folder: Path, tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    file = tmp_path / "int8.onnx"
    quantize_dynamic(entry.folder / "deploy.onnx", file, weight_type=QuantType.QInt8)
    settings = Settings.of(text="To be", runtimes=[], latency=False, threads=1, out=tmp_path / "out", onnx=file)
    report = compare(str(tiny_folder), settings)
    graph = report.runtimes[-1].graph
    verdict = report.runtimes[-1].verdict
    assert graph is not None and "MatMulInteger" in graph.quantized
    assert verdict is not None and (verdict.kind, verdict.precision) == ("reduced precision", "quantized")
    assert verdict.note.startswith("named by the graph's operators (") and verdict.note.endswith("not by its values")
    said = " ".join(wording.graph_lines(report))
    assert f"onnx-file is int8.onnx ({file.stat().st_size:,} bytes" in said
    assert "computes with quantized numbers: DequantizeLinear, DynamicQuantizeLinear, MatMulInteger." in said


@pytest.mark.parametrize(
    ("output", "tap"),
    [
        ("logits", "logits"),
        ("query.1", "query.1"),
        ("hidden_state.2", "hidden_state.2"),
        ("present_key_values.0.value", "value.0"),
        ("attentions.2", None),
        ("attention.2", None),
        ("hidden_state.3", None),
        ("last_hidden_state", None),
        ("present.0.query", None),
        ("xlogits", None),
    ],
)
def test_outputs_are_matched_by_name(output: str, tap: str | None) -> None:
    assert tap_of(output, 2) == tap


def test_what_a_file_tells_of_its_model(entry: Entry) -> None:
    for graph in ("inspect.onnx", "deploy.onnx"):
        file = read_onnx_file(entry.folder / graph)
        assert (layers_of(file), vocabulary_of(file)) == (2, 300)
        del file.model.graph.output[-1].type.tensor_type.shape.dim[:]
        assert exposed(file, 2)["logits"] == "logits"


def test_the_vocabulary_is_inferred_where_it_is_not_declared(entry: Entry) -> None:
    file = read_onnx_file(entry.folder / "deploy.onnx")
    file.model.graph.output[0].type.tensor_type.shape.dim[2].ClearField("dim_value")
    assert vocabulary_of(file) == 300


IDS = np.zeros((2, 5), dtype=np.int64)


@pytest.mark.parametrize(
    ("wanted", "error", "message"),
    [
        (
            GraphInput("pixel_values", "float32", None),
            CannotRun,
            "asks for pixel_values, which cannot be made from ids",
        ),
        (GraphInput("input_ids", "unknown", None), CannotRun, "asks for input_ids as unknown, which NumPy cannot make"),
        (GraphInput("past.0", "float32", (2, None, 4, None, 16)), CannotRun, "asks for past.0 of (2, any, 4, any, 16)"),
        (
            GraphInput("past_key_values.0.key", "float32", (None, 4, 8, 16)),
            BadInput,
            "takes past_key_values.0.key of (any, 4, 8, 16) alone, and this input makes it (2, 4, 0, 16)",
        ),
        (GraphInput("position_ids", "int64", (1, 8)), BadInput, "makes it (2, 5); set batch to 1 and sequence to 8"),
    ],
)
def test_what_cannot_be_fed(wanted: GraphInput, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as found:
        feed([wanted], IDS, np.ones_like(IDS))
    assert message in str(found.value)


def test_what_is_fed_has_the_types_that_are_declared() -> None:
    wanted = [GraphInput("use_cache_branch", "bool", (1,)), GraphInput("attention_mask", "float16", None)]
    found = feed(wanted, IDS, np.ones_like(IDS))
    assert {name: (array.dtype, array.shape) for name, array in found.items()} == {
        "use_cache_branch": (np.dtype(bool), (1,)),
        "attention_mask": (np.dtype(np.float16), (2, 5)),
    }
    assert not found["use_cache_branch"].any()


def changed(entry: Entry, change, graph: str = "deploy.onnx") -> OnnxFile:
    file = read_onnx_file(entry.folder / graph)
    change(file.model.graph)
    return file


def more_layers(graph: onnx.GraphProto) -> None:
    graph.output.append(helper.make_tensor_value_info("attentions.5", TensorProto.FLOAT, None))


def no_head(graph: onnx.GraphProto) -> None:
    graph.output[0].name = "last_hidden_state"


@pytest.mark.parametrize(
    ("change", "model", "message"),
    [
        (
            lambda graph: None,
            {"layers": 2, "vocabulary": 301},
            "has 300 tokens in its vocabulary and the model has 301",
        ),
        (lambda graph: None, {"layers": 6, "vocabulary": 300}, "has 2 layers and the model has 6; give the model that"),
        (more_layers, {"layers": 2, "vocabulary": 300}, "has 6 layers and the model has 2"),
        (no_head, {"layers": 2, "vocabulary": 300}, "gives no logits, only last_hidden_state: export it with its head"),
    ],
)
def test_a_file_of_another_model(entry: Entry, change, model, message: str) -> None:
    with pytest.raises(BadInput) as error:
        check_model(changed(entry, change), model)
    assert message in str(error.value)


def test_logits_of_the_last_position_alone(entry: Entry) -> None:
    file = read_onnx_file(entry.folder / "deploy-last.onnx")
    with pytest.raises(
        BadInput, match=r"gives logits of \(any, 1, 300\), and this input is \(2, 5\).*; set sequence to 1$"
    ):
        check_inputs(file, Inputs(IDS, np.ones_like(IDS), []))


def hashed(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def cut_short(entry: Entry, folder: Path) -> Path:
    path = folder / "cut.onnx"
    path.write_bytes((entry.folder / "inspect.onnx").read_bytes()[:-1000])
    return path


def of_text(entry: Entry, folder: Path) -> Path:
    path = folder / "text.onnx"
    path.write_text("<html>404: not found</html>")
    return path


def empty(entry: Entry, folder: Path) -> Path:
    path = folder / "empty.onnx"
    path.touch()
    return path


def weights_at(location: str, offset: str = "0"):
    def make(entry: Entry, folder: Path) -> Path:
        model = onnx.load(entry.folder / "deploy.onnx", load_external_data=False)
        tensor = next(t for t in model.graph.initializer if t.data_location == TensorProto.EXTERNAL)
        for other in model.graph.initializer:
            for pair in other.external_data:
                if pair.key == "location":
                    pair.value = location
                if pair.key == "offset" and other is tensor:
                    pair.value = offset
        (folder / "short.bin").write_bytes(b"12345678")
        (folder / "inner").mkdir(exist_ok=True)
        if not (folder / "inner" / "link.bin").is_symlink():
            (folder / "inner" / "link.bin").symlink_to(entry.folder / "model.safetensors")
        return saved(model, folder / "inner" / "weights.onnx")

    return make


BROKEN = [
    (lambda entry, folder: folder / "none.onnx", "none.onnx cannot be read: No such file or directory"),
    (lambda entry, folder: folder, "cannot be read: Is a directory"),
    (cut_short, "is no ONNX graph, or not a whole one; export it again, or copy it again"),
    (of_text, "text.onnx (27 bytes) is no ONNX graph, or not a whole one"),
    (empty, "empty.onnx (0 bytes) is no ONNX graph"),
    (weights_at("../short.bin"), "weights.onnx reaches outside its folder: it keeps "),
    (weights_at("/etc/passwd"), "in '/etc/passwd'; save it again with its weights beside it"),
    (weights_at("C:\\weights.bin"), "weights.onnx reaches outside its folder"),
    (weights_at("..\\short.bin"), "weights.onnx reaches outside its folder"),
    (weights_at("link.bin"), "weights.onnx reaches outside its folder"),
    (weights_at(""), "there is no such file beside it; copy it too"),
    (weights_at("*/_ORT_MEM_ADDR_/*"), "there is no such file beside it; copy it too"),
    (weights_at("weights.onnx", "9999999"), "it is not whole, or of another export: copy it again"),
    (weights_at("weights.onnx", "ten"), "does not say in numbers where in 'weights.onnx'"),
]


@pytest.mark.parametrize(("make", "message"), BROKEN)
def test_a_broken_file_is_refused_and_nothing_is_written(
    entry: Entry, tiny_folder: Path, tmp_path: Path, make, message: str
) -> None:
    path = make(entry, tmp_path)
    with pytest.raises(BadInput) as error:
        compare(str(tiny_folder), Settings.of(runtimes=[], onnx=path, out=tmp_path / "out"))
    assert message in str(error.value)
    assert not (tmp_path / "out").exists()


def test_weights_by_way_of_a_link_beside_the_file(entry: Entry, tmp_path: Path) -> None:
    """The cache of the hub's library: both files are links to files that lie in one other folder."""
    for name in ("deploy.onnx", "model.safetensors"):
        (tmp_path / name).symlink_to(entry.folder / name)
    file = read_onnx_file(tmp_path / "deploy.onnx")
    assert file.external == {"model.safetensors": (entry.folder / "model.safetensors").resolve()}
    stage(file, {"logits": "logits"}, tmp_path / "staged")
    assert hashed(tmp_path / "staged")["model.safetensors"] == (entry.folder / "model.safetensors").read_bytes()


def test_staging_never_writes_over_the_file(entry: Entry, tmp_path: Path) -> None:
    model = onnx.load(entry.folder / "deploy.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for pair in tensor.external_data:
            pair.value = "inspect.onnx" if pair.key == "location" else pair.value
    shutil.copyfile(entry.folder / "model.safetensors", tmp_path / "inspect.onnx")
    file = read_onnx_file(saved(model, tmp_path / "odd.onnx"))
    before = hashed(tmp_path)
    with pytest.raises(BadInput, match=r"weights are kept in 'inspect\.onnx', a name that is taken here; rename"):
        stage(file, {"logits": "logits"}, tmp_path / "staged")
    assert hashed(tmp_path) == before


def test_a_full_disk_is_one_line(entry: Entry, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(CannotRun, match=r"cannot be copied into .*: No space left on device; make room, or give"):
        stage(read_onnx_file(entry.folder / "deploy.onnx"), {"logits": "logits"}, tmp_path / "staged")


def without_a_mask(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph as of an export without a mask: it takes ids alone and makes a mask of ones."""
    nodes, shape = model.graph.node, onnx.numpy_helper.from_array(np.array([1]), "one")
    ones = [
        helper.make_node("Shape", ["input_ids"], ["shape of ids"]),
        helper.make_node("ConstantOfShape", ["shape of ids"], ["attention_mask"], value=shape),
    ]
    for node in reversed(ones):
        nodes.insert(0, node)
    model.graph.input.remove(next(value for value in model.graph.input if value.name == "attention_mask"))
    return model


def test_a_graph_without_a_mask_is_judged_on_the_text_alone(entry: Entry, tiny_folder: Path, tmp_path: Path) -> None:
    file = saved(without_a_mask(inline(entry)), tmp_path / "maskless.onnx")
    row = compared(file, tiny_folder, tmp_path / "out")
    assert row.verdict is not None and row.padding is not None
    assert (row.verdict.kind, row.padding.skipped, row.padding.verdict) == ("rounding", "takes no attention mask", None)
    said = wording.further_sentences(Report.read(tmp_path / "out"))
    assert "onnx-file takes no attention mask: judged on the text alone." in said


def test_a_graph_of_one_length_is_judged_on_the_text_alone(entry: Entry, tiny_folder: Path, tmp_path: Path) -> None:
    row = compared(saved(fixed(inline(entry), 1, 13), tmp_path / "fixed.onnx"), tiny_folder, tmp_path / "out")
    assert row.padding is not None
    assert row.padding.skipped == "takes sequences of (1, 13) alone"


def one_by_one(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with its batch set to one and its sequence free."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    return model


def test_of_a_fixed_batch_the_padded_sequences_run_one_by_one(entry: Entry, tiny_folder: Path, tmp_path: Path) -> None:
    row = compared(saved(one_by_one(inline(entry)), tmp_path / "one.onnx"), tiny_folder, tmp_path / "out")
    assert row.verdict is not None and row.padding is not None and row.padding.verdict is not None
    assert (row.verdict.kind, row.padding.verdict.kind) == ("rounding", "rounding")
    assert row.padding.verdict.multiple is not None and row.padding.verdict.multiple > 0

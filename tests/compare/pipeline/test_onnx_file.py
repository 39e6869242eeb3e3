"""Test that an ONNX file gets a row of its own that is judged, timed and described."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compare.pipeline.compare_model import compare
from compare.pipeline.settings import Settings
from compare.report.schema import Report
from compare.report.sections import graphs, padding
from compare.results.runtimes import RuntimeResult
from export.cache import Entry
from export.errors import BadInput
from tests.helpers.graphs import saved


def inline(entry: Entry, graph: str = "inspect.onnx") -> onnx.ModelProto:
    """Return a graph of an entry with its weights inside."""
    return onnx.load(entry.folder / graph)


def renamed(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    """Return the graph with other names for its tensors."""
    for node in model.graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = [names.get(name, name) for name in tensors]
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    return model


def fixed(model: onnx.ModelProto, batch: int, sequence: int) -> onnx.ModelProto:
    """Return the graph with fixed batch and sequence sizes for its inputs and logits."""
    logits = next(value for value in model.graph.output if value.name == "logits")
    for value in (*model.graph.input, logits):
        for place, size in enumerate((batch, sequence)):
            value.type.tensor_type.shape.dim[place].dim_value = size
    return model


def compared(file: Path, tiny_folder: Path, out: Path, **more) -> RuntimeResult:
    """Compare a file with the model and return its row."""
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
    assert (entry.folder / "model.safetensors").stat().st_nlink == 1  # onnx refuses weights files with two hard links


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
    assert row.graph.found == ["mid_state.0", "hidden_state.2"]  # by structure, because the names are unknown


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
    with pytest.raises(BadInput, match=r"declares input_ids with shape \(1, 13\), but .*; set sequence to 13$"):
        compared(file, tiny_folder, tmp_path / "out", sequence=12)


def test_weights_in_half_precision_are_said(entry: Entry, tiny_folder: Path, tmp_path: Path) -> None:
    """The weights are stored in fp16 and computed in float32. The numbers show this, and the row says so."""
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
    assert verdict.note.startswith("inferred from the graph's operators (") and verdict.note.endswith("from its values")
    said = " ".join(graphs.sentences(report))
    assert f"onnx-file is int8.onnx ({file.stat().st_size:,} bytes" in said
    assert "computes with quantized numbers: DequantizeLinear, DynamicQuantizeLinear, MatMulInteger." in said


def without_a_mask(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph as exported without a mask: it takes only ids and uses a mask of ones."""
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
    verdicts = (row.verdict.kind, row.padding.skipped, row.padding.verdict)
    assert verdicts == ("rounding", "has no input attention_mask", None)
    said = padding.sentences(Report.read(tmp_path / "out"))
    assert "onnx-file has no input attention_mask, so it is judged on the text alone." in said


def test_a_graph_of_one_length_is_judged_on_the_text_alone(entry: Entry, tiny_folder: Path, tmp_path: Path) -> None:
    row = compared(saved(fixed(inline(entry), 1, 13), tmp_path / "fixed.onnx"), tiny_folder, tmp_path / "out")
    assert row.padding is not None
    assert row.padding.skipped == "takes only sequences of (1, 13)"


def one_by_one(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with a batch size of one and a dynamic sequence length."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    return model


def test_of_a_fixed_batch_the_padded_sequences_run_one_by_one(entry: Entry, tiny_folder: Path, tmp_path: Path) -> None:
    row = compared(saved(one_by_one(inline(entry)), tmp_path / "one.onnx"), tiny_folder, tmp_path / "out")
    assert row.verdict is not None and row.padding is not None and row.padding.verdict is not None
    assert (row.verdict.kind, row.padding.verdict.kind) == ("rounding", "rounding")
    assert row.padding.verdict.multiple is not None and row.padding.verdict.multiple > 0

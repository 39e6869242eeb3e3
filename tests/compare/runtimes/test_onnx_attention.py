"""Graphs for onnxruntime-attention: every attention is one operator, and what does not fit is refused."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from compare.numerics.verdicts import judge
from compare.results.gaps import evidence_of
from compare.runtimes.onnx_attention import OPSET, convert, fuse_attention
from compare.runtimes.onnx_runtime import OnnxRuntime
from compare.runtimes.registry import spec_of
from compare.traces import Trace, write_trace
from export.errors import CannotRun
from export.exporting import exported

GRAPHS = spec_of("onnxruntime-attention").graphs


@pytest.fixture(scope="module")
def converted(tiny_export, tmp_path_factory: pytest.TempPathFactory):
    """A function that converts a tiny model of a type, and returns the folder."""

    def of(model_type: str) -> Path:
        out = tmp_path_factory.mktemp(model_type)
        facts = convert(tiny_export(model_type).folder, out, GRAPHS)
        assert facts == {"fused": "2 Attention", "fused for decoding": "2 Attention"}
        return out

    return of


@pytest.mark.parametrize("model_type", ["gpt2", "llama", "qwen3"])
def test_every_attention_is_one_operator(converted, tiny_export, ids_and_mask, model_type: str) -> None:
    """Grouped heads are not repeated. Probabilities are computed only for the graph that outputs them."""
    out = converted(model_type)
    entry = tiny_export(model_type).folder
    for graph in GRAPHS:
        model = onnx.load(out / f"{graph}.onnx", load_external_data=False)
        assert {(opset.domain, opset.version) for opset in model.opset_import} == {("", OPSET)}
        counts = Counter(node.op_type for node in model.graph.node)
        before = Counter(n.op_type for n in onnx.load(entry / f"{graph}.onnx", load_external_data=False).graph.node)
        assert (counts["Attention"], counts["Softmax"], counts["Where"]) == (2, 0, before["Where"] - 2)
        assert before["MatMul"] - counts["MatMul"] == 4
        for i, node in enumerate(node for node in model.graph.node if node.op_type == "Attention"):
            assert list(node.output[1:]) == (["", "", f"attention.{i}"] if graph == "inspect" else [])
            if graph != "decode":
                assert list(node.input[:3]) == [f"{kind}.{i}" for kind in ("query", "key", "value")]
    found, expected = (OnnxRuntime(folder, threads=1, graph="inspect").run(*ids_and_mask) for folder in (out, entry))
    assert list(found) == list(expected)
    real = ids_and_mask[1].astype(bool)
    for name, tensor in found.items():
        rows, wanted = (np.moveaxis(x, 2, 1)[real] if x.ndim == 4 else x[real] for x in (tensor, expected[name]))
        np.testing.assert_allclose(rows, wanted, atol=2e-5, rtol=0, err_msg=name)


def test_the_weights_are_copied_once(converted) -> None:
    out = converted("gpt2")
    assert sorted(path.name for path in out.iterdir()) == [*sorted(f"{g}.onnx" for g in GRAPHS), "model.safetensors"]
    assert max((out / f"{graph}.onnx").stat().st_size for graph in GRAPHS) < 50_000


def test_a_clean_run_is_rounding_with_every_tap(scales, tmp_path: Path) -> None:
    out = tmp_path / "graphs"
    out.mkdir()
    facts = convert(exported("byte-gpt2").folder, out, GRAPHS)
    assert facts["fused"] == "4 Attention"
    ids, mask = (tensor.numpy() for tensor in scales.tensors)
    write_trace(tmp_path / "trace", OnnxRuntime(out, threads=1, graph="inspect").run(ids, mask))
    weighed = scales.weigh(Trace(tmp_path / "trace"))
    assert {f"attention.{i}" for i in range(4)} <= set(weighed)
    assert judge(evidence_of(weighed.values()), bitwise=False).kind == "rounding"


def test_another_attention_stays_as_it_is(entry, tmp_path: Path) -> None:
    """The operator hides scores completely, so a graph that only lowers them by much computes something else."""
    model = ir.load(entry.folder / "deploy.onnx")
    lowest = {node.inputs[2] for node in model.graph if node.op_type == "Where"}
    constant = next(value for value in lowest if value.const_value is not None)
    constant.const_value = ir.tensor(np.float32(-1e4), name=constant.name)
    assert fuse_attention(model) == 0
    (tmp_path / "out").mkdir()
    ir.save(model, tmp_path / "deploy.onnx")
    with pytest.raises(
        CannotRun, match=r"^no attention of deploy\.onnx could be replaced by ONNX's Attention operator"
    ):
        convert(tmp_path, tmp_path / "out", ("deploy",))

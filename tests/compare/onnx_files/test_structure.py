"""Test that taps are located in graphs without names, equal golden's tensors, and show faults in the right place."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from compare.numerics.verdicts import judge
from compare.onnx_files.staging import inspecting
from compare.onnx_files.structure import candidates, residual_stream, softmaxes_of_attention
from compare.pipeline.compare_model import compare
from compare.pipeline.settings import Settings
from compare.report.sections import graphs
from compare.results.gaps import evidence_of
from compare.results.verdicts import Verdict
from compare.runtimes.onnx_runtime import OnnxRuntime
from compare.traces import Trace, write_trace
from export.exporting import exported
from export.taps import run_tapped
from tests.helpers.graphs import nameless

EXPORTERS = ["dynamo", pytest.param("optimum", marks=pytest.mark.optimum)]


def run(model: onnx.ModelProto, layers: int, folder: Path, ids, mask) -> dict[str, np.ndarray]:
    """Return the taps that are located in a graph, and its logits."""
    folder.mkdir(exist_ok=True)
    onnx.save(inspecting(model, candidates(model.graph, layers) | {"logits": "logits"}), folder / "inspect.onnx")
    return OnnxRuntime(folder, threads=1, graph="inspect").run(ids, mask)


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("model_type", ["gpt2", "llama", "qwen3"])
def test_what_is_found_is_what_the_model_has(
    tiny, tiny_export, tmp_path: Path, ids_and_mask, model_type: str, exporter: str
) -> None:
    """Norms are one operator or several. Qwen3's norms of queries and keys do not read the residual stream."""
    deploy = tiny_export(model_type, exporter).folder / "deploy.onnx"
    ids, mask = (array[:1].copy() for array in ids_and_mask)
    found = run(nameless(onnx.load(deploy)), 2, tmp_path / "found", ids, mask)
    kinds = {"attention": 2, "hidden_state": 3, "mid_state": 2}
    assert set(found) == {f"{kind}.{i}" for kind, count in kinds.items() for i in range(count)} | {"logits"}
    expected = run_tapped(tiny(model_type), torch.from_numpy(ids), torch.from_numpy(mask), "eager")
    for name, tensor in found.items():
        np.testing.assert_allclose(tensor, expected[name].numpy(), atol=2e-4, rtol=0, err_msg=name)


@pytest.fixture(scope="module", params=EXPORTERS)
def stripped(request: pytest.FixtureRequest, cache_dir: Path) -> Callable[[], onnx.ModelProto]:
    """A function that returns a copy of byte-gpt2's graph of an exporter, without taps and without names."""
    folder = exported("byte-gpt2", exporter=request.param).folder
    return lambda: nameless(onnx.load(folder / "deploy.onnx"))


def verdict_on(scales, model: onnx.ModelProto, folder: Path) -> Verdict:
    ids, mask = (tensor.numpy() for tensor in scales.tensors)
    write_trace(folder / "trace", run(model, 4, folder, ids, mask))
    weighed = scales.weigh(Trace(folder / "trace"))
    return judge(evidence_of(weighed.values()), bitwise=False)


def test_a_clean_graph_is_rounding_by_all_that_is_found(scales, stripped, tmp_path: Path) -> None:
    verdict = verdict_on(scales, stripped(), tmp_path)
    assert (verdict.kind, verdict.weak) == ("rounding", False)
    assert len(Trace(tmp_path / "trace")) == 4 + 9 + 1


def weight(model: onnx.ModelProto, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    tensor = next(t for t in model.graph.initializer if t.name.endswith(name))
    changed = change(numpy_helper.to_array(tensor).copy()).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))


def bias(name: str, by: float):
    return lambda model, layer: weight(model, f"h.{layer}.{name}.bias", lambda values: values * by)


def epsilon(model: onnx.ModelProto, layer: int) -> None:
    norms = [node for node in model.graph.node if node.op_type == "LayerNormalization"]
    attribute = next(a for a in norms[2 * layer + 1].attribute if a.name == "epsilon")
    attribute.f = 1e-3


def flatter(model: onnx.ModelProto, layer: int) -> None:
    """Multiply the scores of a layer by 1.01."""
    softmax = [node for node in model.graph.node if node.op_type == "Softmax"][layer]
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1.01), "factor"))
    scaled = helper.make_node("Mul", [softmax.input[0], "factor"], ["scaled"])
    softmax.input[0] = "scaled"
    model.graph.node.insert(list(model.graph.node).index(softmax), scaled)


BEFORE = "norm and projections to query, key, value or attention"


@pytest.mark.parametrize("layer", [0, 2, 3])
@pytest.mark.parametrize(
    ("plant", "segments"),
    [
        (bias("attn.c_attn", 0.0), BEFORE),
        (flatter, BEFORE),
        (bias("attn.c_proj", 0.9), f"{BEFORE} or output projection"),
        (bias("mlp.c_fc", 1.01), "norm and MLP"),
        (epsilon, "norm and MLP"),
    ],
    ids=["projections", "scores", "output", "mlp", "epsilon"],
)
def test_a_fault_is_named_in_its_layer(scales, stripped, tmp_path: Path, plant, segments: str, layer: int) -> None:
    model = stripped()
    plant(model, layer)
    verdict = verdict_on(scales, model, tmp_path)
    assert (verdict.kind, verdict.place) == ("different", f"layer {layer}, {segments}")


def test_a_softmax_over_the_scores_of_experts_is_no_layer() -> None:
    """Mixtral chooses experts from its softmax, and GPT-OSS takes the softmax of what was chosen."""
    nodes = [
        helper.make_node("Softmax", ["scores"], ["attention"]),
        helper.make_node("MatMul", ["attention", "value"], ["context"]),
        helper.make_node("Softmax", ["router"], ["weights"]),
        helper.make_node("TopK", ["weights", "two"], ["best", "which"]),
        helper.make_node("TopK", ["router", "two"], ["chosen", "experts"]),
        helper.make_node("Softmax", ["chosen"], ["of the chosen"]),
    ]
    assert softmaxes_of_attention(helper.make_graph(nodes, "g", [], [])) == ["attention"]


def test_a_graph_of_more_layers_than_the_model_is_left_alone(entry) -> None:
    graph = onnx.load(entry.folder / "deploy.onnx", load_external_data=False).graph
    assert candidates(graph, 3) == {}
    assert len(residual_stream(graph)) == 5


def decoy(model: onnx.ModelProto, source: Callable[[str], str]) -> onnx.ModelProto:
    """Replace the last softmax by simpler operators, and add another softmax whose output is not used."""
    nodes = model.graph.node
    softmax = [node for node in nodes if node.op_type == "Softmax"][-1]
    scores, probabilities = softmax.input[0], softmax.output[0]
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1]), "last axis"))
    spelled_out = [
        helper.make_node("ReduceMax", [scores, "last axis"], ["largest"], keepdims=1),
        helper.make_node("Sub", [scores, "largest"], ["below"]),
        helper.make_node("Exp", ["below"], ["weights"]),
        helper.make_node("ReduceSum", ["weights", "last axis"], ["total"], keepdims=1),
        helper.make_node("Div", ["weights", "total"], [probabilities]),
        helper.make_node("Softmax", [source(probabilities)], ["decoy"], axis=-1),
    ]
    place = list(nodes).index(softmax)
    nodes.remove(softmax)
    for node in reversed(spelled_out):
        nodes.insert(place, node)
    return model


@pytest.mark.parametrize("source", [lambda probabilities: probabilities, lambda _: "total"], ids=["values", "shape"])
def test_a_tensor_mistaken_for_another_is_no_fault_of_the_graph(
    entry, tiny_folder: Path, tmp_path: Path, source
) -> None:
    file = tmp_path / "decoy.onnx"
    onnx.save(decoy(nameless(onnx.load(entry.folder / "deploy.onnx")), source), file)
    settings = Settings.of(text="To be, or not", runtimes=[], latency=False, threads=1, out=tmp_path / "out", onnx=file)
    report = compare(str(tiny_folder), settings)
    row = report.runtimes[-1]
    assert row.verdict is not None and row.graph is not None
    assert row.verdict.kind == "rounding"
    assert "attention.0" in row.graph.found
    assert "attention.1" not in row.graph.found
    assert not next(gap for gap in row.gaps if gap.tensor == "attention.1").exposed
    kinds = "attention, hidden state, mid state"
    said = f"onnx-file does not name {kinds}; located by the graph structure, which can fail."
    assert said in graphs.sentences(report)

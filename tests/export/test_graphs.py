"""Test that the graphs compute the model, share its weights, and differ only in their outputs."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from export import dynamo
from export.cache import Entry
from export.errors import CannotRun
from export.folded_weights import FOLDED
from export.graphs import GRAPHS, cut, last_position, write_graphs
from export.models import read_weights
from export.taps import run_tapped, tap_names
from export.weights_file import WEIGHTS, tensor_offsets
from tests.helpers.graphs import RunnableGraph, run_graph


@pytest.mark.parametrize("model_type", ["gpt2", "llama", "qwen3"])
def test_the_graph_computes_the_model(tiny, tiny_export, ids_and_mask, model_type: str) -> None:
    folder = tiny_export(model_type).folder
    ids, mask = ids_and_mask
    expected = run_tapped(tiny(model_type), torch.from_numpy(ids), torch.from_numpy(mask), "eager")
    found = run_graph(folder, "inspect.onnx", ids, mask)
    assert list(found) == tap_names(2)
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor.numpy(), atol=2e-4, rtol=0, err_msg=name)
    decode = RunnableGraph(folder / "decode.onnx")
    for prefill in (1, 5, 6):
        logits = decode.decode(ids, mask, prefill)
        np.testing.assert_allclose(logits[mask == 1], found["logits"][mask == 1], atol=1e-5, rtol=0)


def test_the_past_has_the_names_and_the_free_dimensions_that_optimum_knows(entry: Entry) -> None:
    graph = onnx.load(entry.folder / "decode.onnx", load_external_data=False).graph
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in [*graph.input, *graph.output]
    }
    assert shapes.pop("input_ids") == ["batch", "sequence"]
    assert shapes.pop("attention_mask") == ["batch", "total"]
    assert shapes.pop("logits") == ["batch", "sequence", 300]
    kinds = [f"{i}.{kind}" for i in range(2) for kind in ("key", "value")]
    past = {f"past_key_values.{kind}": ["batch", 4, "past", 16] for kind in kinds}
    assert shapes == past | {f"present.{kind}": ["batch", 4, "past + sequence", 16] for kind in kinds}


@pytest.mark.slow
def test_a_window_that_slides_keeps_its_past(tiny, tmp_path, ids_and_mask) -> None:
    """transformers' cache would drop positions outside the window; the graph keeps them, and the mask hides them."""
    model = tiny("mistral")
    model.config.sliding_window = 4
    ids, mask = ids_and_mask
    write_graphs(model, tmp_path, "a label", dynamo)
    deploy = run_graph(tmp_path, "deploy.onnx", ids, mask)["logits"]
    logits = RunnableGraph(tmp_path / "decode.onnx").decode(ids, mask, 6)
    np.testing.assert_allclose(logits[mask == 1], deploy[mask == 1], atol=1e-5, rtol=0)
    model.config.sliding_window = None
    whole = run_tapped(model, torch.from_numpy(ids), torch.from_numpy(mask), "eager")["logits"].numpy()
    assert np.abs(whole - deploy)[mask == 1].max() > 1e-2  # shows that the window had an effect


def test_an_architecture_that_torch_cannot_export_with_a_past(tiny, tmp_path) -> None:
    model = tiny()
    model.save_pretrained(tmp_path)

    def refuse(module, arguments, options):
        past = options.get("past_key_values", options.get("cache"))  # the latter since transformers 5.24
        if past is not None and torch.compiler.is_exporting():
            raise ValueError("no past in this model\nbut a long story")

    model.register_forward_pre_hook(refuse, with_kwargs=True)
    message = r"models of type 'gpt2' with a past: no past in this model; another exporter may: --exporter optimum$"
    with pytest.raises(CannotRun, match=message):
        dynamo.export_decode(model, tmp_path)


@pytest.mark.parametrize("shape", [(1, 1), (1, 64), (3, 5)])
def test_batch_and_sequence_are_free(entry: Entry, shape: tuple[int, int]) -> None:
    ids = np.random.default_rng(0).integers(0, 256, shape)
    assert run_graph(entry.folder, "deploy.onnx", ids, np.ones_like(ids))["logits"].shape == (*shape, 300)


def test_the_cuts_differ_in_what_they_expose_alone(entry: Entry, ids_and_mask) -> None:
    inspect, deploy, last, _ = (run_graph(entry.folder, graph, *ids_and_mask) for graph in GRAPHS)
    assert list(deploy) == list(last) == ["logits"]
    np.testing.assert_allclose(deploy["logits"], inspect["logits"], atol=1e-5)
    np.testing.assert_allclose(last["logits"], deploy["logits"][:, -1:], atol=1e-5)


def test_the_weights_are_there_once(entry: Entry) -> None:
    """All graphs together need at most 5 % more than the parameters (0.1 million here); on distilgpt2, 0.05 %."""
    weights = (entry.folder / WEIGHTS).stat().st_size
    offsets = tensor_offsets(entry.folder / WEIGHTS)
    parameters = 4 * entry.manifest.model["parameters"]
    assert weights < 1.05 * parameters
    for graph in GRAPHS:
        model = onnx.load(entry.folder / graph, load_external_data=False)
        shared = [t for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
        inline = sum(t.ByteSize() for t in model.graph.initializer if t not in shared)
        assert len(shared) == len(offsets)
        assert inline < 2000
        for tensor in shared:
            where = {item.key: item.value for item in tensor.external_data}
            assert where["location"] == WEIGHTS
            assert (int(where["offset"]), int(where["length"])) in offsets.values()


def test_transposed_weights_are_outside_the_graphs(tiny_export) -> None:
    """The exporter transposes the matrices of a Llama; a graph with them inside could not exceed 2 GB."""
    entry = tiny_export("llama")
    for graph in GRAPHS:
        model = onnx.load(entry.folder / graph, load_external_data=False)
        inside = [t for t in model.graph.initializer if t.data_location != onnx.TensorProto.EXTERNAL]
        assert sum(t.ByteSize() for t in inside) < 4000
    files = {path.name for path in entry.folder.glob("*.safetensors")}
    assert files == {WEIGHTS, FOLDED}  # decode has the same ones
    assert (entry.folder / FOLDED).stat().st_size < 1.05 * (entry.folder / WEIGHTS).stat().st_size


def test_the_graphs_hold_the_label_and_no_path_of_this_machine(entry: Entry) -> None:
    for graph in GRAPHS:
        model = onnx.load(entry.folder / graph, load_external_data=False)
        assert {p.key: p.value for p in model.metadata_props} == {"model": entry.manifest.source.label}
        assert b"site-packages" not in (entry.folder / graph).read_bytes()
        onnx.checker.check_model(entry.folder / graph)


def test_the_entry_is_a_folder_that_transformers_loads(entry: Entry, tiny) -> None:
    read = read_weights(entry.folder)
    for (name, mine), (_, theirs) in zip(tiny().named_parameters(), read.named_parameters(), strict=True):
        assert torch.equal(mine, theirs), name


def test_a_graph_without_a_matrix_product_is_sliced_at_its_logits() -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["logits"])
    value = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, "s", 2]) for n in ("x", "logits")]
    graph = onnx.helper.make_graph([node], "g", value[:1], value[1:])
    model = last_position(
        onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 20)])
    )
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"x": np.arange(6, dtype=np.float32).reshape(1, 3, 2)})
    assert logits.tolist() == [[[4.0, 5.0]]]


def test_a_cut_keeps_no_node_that_its_outputs_do_not_need(entry: Entry) -> None:
    inspect = onnx.load(entry.folder / "inspect.onnx", load_external_data=False)
    small = cut(inspect, ["hidden_state.0"])
    assert 0 < len(small.graph.node) < 12
    assert [output.name for output in small.graph.output] == ["hidden_state.0"]

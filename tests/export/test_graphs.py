"""The graphs: they compute the model, they share its weights, and they differ in what they expose alone."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from export.cache import Entry
from export.dynamo import export_inspect
from export.errors import CannotRun
from export.graphs import GRAPHS, cut, last_position, write_graphs
from export.models import read_weights
from export.taps import run_tapped, tap_names
from export.weights_file import WEIGHTS, tensor_offsets


def run_graph(folder, graph: str, ids, mask) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(folder / graph, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"input_ids": ids, "attention_mask": mask}), strict=True))


@pytest.mark.parametrize("model_type", ["gpt2", "llama", "qwen3"])
def test_the_graph_computes_the_model(tiny, tmp_path, ids_and_mask, model_type: str) -> None:
    model = tiny(model_type)
    write_graphs(model, tmp_path, "a label", export_inspect)
    ids, mask = ids_and_mask
    expected = run_tapped(model, torch.from_numpy(ids), torch.from_numpy(mask), "eager")
    found = run_graph(tmp_path, "inspect.onnx", ids, mask)
    assert list(found) == tap_names(2)
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor.numpy(), atol=2e-4, rtol=0, err_msg=name)


@pytest.mark.parametrize("shape", [(1, 1), (1, 64), (3, 5)])
def test_batch_and_sequence_are_free(entry: Entry, shape: tuple[int, int]) -> None:
    ids = np.random.default_rng(0).integers(0, 256, shape)
    assert run_graph(entry.folder, "deploy.onnx", ids, np.ones_like(ids))["logits"].shape == (*shape, 300)


def test_the_cuts_differ_in_what_they_expose_alone(entry: Entry, ids_and_mask) -> None:
    inspect, deploy, last = (run_graph(entry.folder, graph, *ids_and_mask) for graph in GRAPHS)
    assert list(deploy) == list(last) == ["logits"]
    np.testing.assert_allclose(deploy["logits"], inspect["logits"], atol=1e-5)
    np.testing.assert_allclose(last["logits"], deploy["logits"][:, -1:], atol=1e-5)


def test_the_weights_are_there_once(entry: Entry) -> None:
    """All graphs together: at most 5 % more than the parameters, on a model of 0.1 million; 0.05 % on distilgpt2."""
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


def test_a_graph_without_a_head_cannot_be_sliced() -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["logits"])
    value = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in ("x", "logits")]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", value[:1], value[1:]))
    with pytest.raises(CannotRun, match="no matrix product before the logits, only Relu"):
        last_position(model)


def test_a_cut_keeps_no_node_that_its_outputs_do_not_need(entry: Entry) -> None:
    inspect = onnx.load(entry.folder / "inspect.onnx", load_external_data=False)
    small = cut(inspect, ["hidden_state.0"])
    assert 0 < len(small.graph.node) < 12
    assert [output.name for output in small.graph.output] == ["hidden_state.0"]

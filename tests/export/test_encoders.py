"""Test that encoders are tapped, and exported as graphs that give what transformers gives."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from export import dynamo
from export.attention import graph_attention
from export.graphs import write_graphs
from export.probe import layout_of
from export.taps import run_tapped, tap_names
from tests.helpers.families import ENCODERS, family_model
from tests.helpers.graphs import run_graph

#: The encoders with every tap.
TAPPED = [family for family in ENCODERS if family != "ALBERT"]

#: The taps of an encoder with two layers whose norms come after its blocks.
TAPS = [name for name in tap_names(2) if name not in ("hidden_state.2", "logits")] + ["last_hidden_state"]


@pytest.fixture(scope="module")
def encoder():
    """A function that returns the tiny encoder of a family."""
    made = {}

    def get(family: str):
        if family not in made:
            made[family] = family_model(family)
        return made[family]

    return get


@pytest.fixture
def padded() -> tuple[Tensor, Tensor]:
    """Ids and mask (3, 12), with padding on the left and on the right."""
    ids = torch.from_numpy(np.random.default_rng(0).integers(2, 256, (3, 12)))
    mask = torch.ones_like(ids)
    mask[1, :5] = mask[2, 7:] = 0
    return torch.where(mask == 1, ids, 1), mask


@pytest.mark.parametrize("family", TAPPED)
def test_every_tap_is_exposed_and_looking_changes_nothing(encoder, padded, family: str) -> None:
    model, (ids, mask) = encoder(family), padded
    assert layout_of(model).names() == TAPS
    assert layout_of(model).notes() == []
    with torch.no_grad():
        untapped = model(input_ids=ids, attention_mask=mask).last_hidden_state
    found = run_tapped(model, ids, mask, "eager")
    assert list(found) == TAPS
    assert torch.equal(found["last_hidden_state"], untapped)
    for i in range(2):
        for kind in ("query", "key", "value", "context"):
            assert found[f"{kind}.{i}"].shape == (3, 4, 12, 8)
        assert found[f"attention.{i}"].shape == (3, 4, 12, 12)


def test_an_encoder_that_exposes_nothing_is_compared_on_its_output() -> None:
    """The layers of ALBERT are one module, which runs several times."""
    layout = layout_of(family_model("ALBERT"))
    assert layout.names() == ["last_hidden_state"]
    assert layout.notes() == ["compared on the last hidden state: nothing inside the model is exposed"]


@pytest.mark.parametrize("family", TAPPED)
def test_the_replaced_attention_is_the_models_own(encoder, padded, family: str) -> None:
    model, (ids, mask) = encoder(family), padded
    own, ours = (run_tapped(model, ids, mask, attention) for attention in ("eager", graph_attention))
    for name, tensor in own.items():
        kept = tensor.transpose(1, 2)[mask == 1] if tensor.ndim == 4 else tensor[mask == 1]
        other = ours[name].transpose(1, 2)[mask == 1] if tensor.ndim == 4 else ours[name][mask == 1]
        assert torch.allclose(kept, other, rtol=1e-4, atol=1e-5), name
    assert not ours["attention.0"][1, :, 5:, :5].any()
    assert not ours["attention.1"][2, :, :7, 7:].any()
    assert ours["attention.0"][1, :, 5, 6:].any()  # a query sees later keys


@pytest.mark.parametrize("family", TAPPED)
def test_the_graphs_give_what_transformers_gives(encoder, padded, tmp_path: Path, family: str) -> None:
    model, (ids, mask) = encoder(family), padded
    written = write_graphs(model, tmp_path, family, dynamo)
    assert written.notes == []
    assert sorted(path.name for path in tmp_path.glob("*.onnx")) == ["deploy.onnx", "inspect.onnx"]
    expected = run_tapped(model, ids, mask, graph_attention)
    found = run_graph(tmp_path, "inspect.onnx", ids.numpy(), mask.numpy())
    assert list(found) == TAPS
    for name, tensor in expected.items():
        assert np.allclose(found[name], tensor.numpy(), rtol=1e-3, atol=1e-4), name
    (deployed,) = run_graph(tmp_path, "deploy.onnx", ids.numpy(), mask.numpy()).values()
    assert np.allclose(deployed, expected["last_hidden_state"].numpy(), rtol=1e-3, atol=1e-4)

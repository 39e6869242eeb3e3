"""Test that taps have the same names for every architecture, and that recording them does not change the run."""

import pytest
import torch

from export.attention import adapted, graph_attention
from export.errors import CannotRun
from export.positions import positions_of
from export.taps import complete, run_tapped, tap_names
from tests.helpers.tiny import USUAL


def tensors(ids_and_mask):
    return tuple(torch.from_numpy(array) for array in ids_and_mask)


@pytest.mark.parametrize("model_type", USUAL)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_looking_changes_nothing(tiny, ids_and_mask, model_type: str, attention: str) -> None:
    model, (ids, mask) = tiny(model_type), tensors(ids_and_mask)
    model.set_attn_implementation(attention)
    with torch.no_grad():
        positions = positions_of(mask, ids.shape[1])
        untapped = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).logits
    tapped = run_tapped(model, ids, mask, attention, probabilities=attention == "eager")
    assert torch.equal(untapped, tapped["logits"])
    assert model.config._attn_implementation == attention  # the implementation is restored


@pytest.mark.parametrize("model_type", USUAL)
def test_shapes_and_names(tiny, ids_and_mask, model_type: str) -> None:
    model, (ids, mask) = tiny(model_type), tensors(ids_and_mask)
    taps = run_tapped(model, ids, mask, "eager")
    key_heads = 4 if model_type == "gpt2" else 2
    assert list(taps) == tap_names(2)
    for i in range(2):
        assert taps[f"query.{i}"].shape == taps[f"context.{i}"].shape == (2, 4, 12, 16)
        assert taps[f"key.{i}"].shape == taps[f"value.{i}"].shape == (2, key_heads, 12, 16)
        assert taps[f"attention.{i}"].shape == (2, 4, 12, 12)
        assert taps[f"hidden_state.{i}"].shape == taps[f"mid_state.{i}"].shape == (2, 12, 64)
    assert taps["logits"].shape == (2, 12, 300)


@pytest.mark.parametrize("model_type", USUAL)
def test_the_graphs_attention_is_the_models_own(tiny, ids_and_mask, model_type: str) -> None:
    """They are equal bit for bit at real positions, because the head size is a power of four and the scale is exact."""
    model, (ids, mask) = tiny(model_type), tensors(ids_and_mask)
    own, ours = (run_tapped(model, ids, mask, attention) for attention in ("eager", graph_attention))
    real = mask.bool()
    for name, tensor in own.items():
        rows = (x.transpose(1, 2) if x.ndim == 4 else x for x in (tensor, ours[name]))
        mine, theirs = (x[real] for x in rows)
        assert torch.equal(mine, theirs), name


def test_the_taps_are_joined_as_the_model_joins_them(tiny, ids_and_mask) -> None:
    """The mid state is the hidden state plus the projected context, and so on for the hidden state and the logits."""
    model, (ids, mask) = tiny(), tensors(ids_and_mask)
    taps = run_tapped(model, ids, mask, "eager")
    block = model.transformer.h[1]
    context = taps["context.1"].transpose(1, 2).reshape(2, 12, 64)
    with torch.no_grad():
        mid = taps["hidden_state.1"] + block.attn.c_proj(context)
        hidden = taps["mid_state.1"] + block.mlp(block.ln_2(taps["mid_state.1"]))
        logits = model.lm_head(model.transformer.ln_f(taps["hidden_state.2"]))
    for made, tapped in ((mid, "mid_state.1"), (hidden, "hidden_state.2"), (logits, "logits")):
        torch.testing.assert_close(made, taps[tapped], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("attention", ["eager", graph_attention])
def test_no_probability_is_above_the_diagonal_or_on_padding(tiny, ids_and_mask, attention) -> None:
    ids, mask = tensors(ids_and_mask)
    attention = run_tapped(tiny(), ids, mask, attention)["attention.0"]
    assert attention.triu(1).abs().max() == 0
    assert attention[1, :, :, 9:].abs().max() == 0
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 4, 12))


def test_missing_probabilities_are_an_error(tiny, ids_and_mask) -> None:
    with pytest.raises(CannotRun, match=r"gave no attention\.0, attention\.1: its attention function returned None"):
        run_tapped(tiny(), *tensors(ids_and_mask), "sdpa")


def test_a_missing_tap_is_an_error() -> None:
    with pytest.raises(CannotRun, match=r"the model gave no hidden_state\.0, query\.0, key\.0 \.\.\."):
        complete({}, tap_names(1))


def test_an_unknown_attention_is_named(tiny, ids_and_mask) -> None:
    with pytest.raises(CannotRun, match="no attention implementation 'flash_9'"):
        run_tapped(tiny(), *tensors(ids_and_mask), "flash_9")


def test_attention_that_is_not_supported_is_refused(tiny, ids_and_mask) -> None:
    forward = adapted(graph_attention)
    query = torch.zeros(1, 1, 2, 4)
    with pytest.raises(CannotRun, match="uses position_bias, which is not supported"):
        forward(torch.nn.Identity(), query, query, query, torch.ones(2, 2, dtype=torch.bool), 1.0, position_bias=query)

"""Test that a replay finds an error only in the segment in which it was made."""

import copy

import pytest
import torch

from compare.numerics.golden import float64_runs
from compare.numerics.replay import FORWARDED, profile_of, replay
from export.taps import run_tapped, tap_names
from tests.helpers.tiny import USUAL


@pytest.fixture(params=USUAL)
def runs(request, tiny, ids_and_mask):
    """A float64 model, ids, mask, and the golden run."""
    double = tiny(request.param).double()
    ids, mask = map(torch.from_numpy, ids_and_mask)
    return double, ids, mask, float64_runs(double, ids, mask)[0]


def real(tensor: torch.Tensor, mask: torch.Tensor, name: str) -> torch.Tensor:
    by_head = name.partition(".")[0] in ("query", "key", "value", "attention", "context")
    return (tensor.transpose(1, 2) if by_head else tensor)[mask.bool()]


def test_golden_replayed_is_golden(runs) -> None:
    """This holds whether all taps are exposed or only those that no segment takes as input."""
    double, ids, mask, golden = runs
    arrays = {name: tensor.numpy() for name, tensor in golden.items()}
    for exposed in (arrays, {"logits": arrays["logits"]}):
        again = replay(double, ids, mask, exposed)
        for name, tensor in golden.items():
            assert torch.equal(again[name], tensor), name


@pytest.mark.parametrize("name", ["hidden_state.1", "query.1", "key.0", "value.1", "context.0", "mid_state.1"])
def test_an_error_is_seen_where_it_was_made_and_nowhere_else(runs, name: str) -> None:
    """One tensor is changed, which changes all later ones, but only that tensor differs from its replay."""
    double, ids, mask, golden = runs
    changed = {name: golden[name] * 1.5}
    after = replay(double, ids, mask, {name: changed[name].numpy()})
    trace = {**after, **changed}
    again = replay(double, ids, mask, {n: t.numpy() for n, t in trace.items()})
    for other in tap_names(2):
        near = torch.allclose(real(again[other], mask, other), real(trace[other], mask, other), rtol=1e-9, atol=1e-9)
        assert near == (other != name), other


def test_what_a_run_does_not_expose_makes_segments_longer(tiny, ids_and_mask) -> None:
    """Without query, key, value, context and mid state, attention is replayed from the hidden state."""
    double, (ids, mask) = tiny().double(), map(torch.from_numpy, ids_and_mask)
    golden, _ = float64_runs(double, ids, mask)
    shown = {n: golden[n] * 1.01 for n in ("hidden_state.0", "hidden_state.1")}
    again = replay(double, ids, mask, {n: t.numpy() for n, t in shown.items()})
    with torch.no_grad():
        first = run_tapped(double, ids, mask, "eager", given={"hidden_state.0": shown["hidden_state.0"]})
    torch.testing.assert_close(
        real(again["hidden_state.1"], mask, "hidden_state.1"), real(first["hidden_state.1"], mask, "hidden_state.1")
    )
    assert torch.equal(again["hidden_state.0"], golden["hidden_state.0"])


def test_the_model_is_as_before(runs) -> None:
    double, ids, mask, golden = runs
    before = copy.deepcopy(double.state_dict())
    replay(double, ids, mask, {name: tensor.numpy() * 2 for name, tensor in golden.items()})
    assert all(torch.equal(before[name], tensor) for name, tensor in double.state_dict().items())
    assert torch.equal(float64_runs(double, ids, mask)[0]["logits"], golden["logits"])


def test_profiles() -> None:
    names = tap_names(1)
    assert profile_of(names) == {n for n in names if n.partition(".")[0] in FORWARDED}
    assert profile_of(["logits", "attention.0"]) == frozenset()
    assert profile_of([n for n in names if n != "attention.0"]) == profile_of(names)

"""Compare flips, real flips, divergence and perplexity with values computed by hand and by torch."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from compare.numerics.diagnostics.next_token import decisions
from compare.results.gaps import Decisions

MASK = np.ones((1, 3), dtype=np.int64)
IDS = np.array([[0, 1, 2]])


@pytest.fixture
def golden() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, 90, 40))


@pytest.fixture
def ids() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 40, (2, 90))


def test_the_same_logits_decide_the_same(golden: np.ndarray, ids: np.ndarray) -> None:
    found = decisions(golden, golden, ids, np.ones_like(ids), rounding=1e-6)
    assert found == Decisions(
        positions=180,
        flips=0,
        real_flips=0,
        top5=1.0,
        kl_mean=0.0,
        kl_p99=0.0,
        kl_max=0.0,
        centred=0.0,
        perplexity=0.0,
    )


@pytest.mark.parametrize(("rounding", "real"), [(0.06, 0), (0.04, 1)])
def test_a_flip_is_real_where_rounding_does_not_reach(rounding: float, real: int) -> None:
    """Two errors of 0.05 can cancel a margin of 0.1."""
    golden = np.array([[[1.0, 0.9, 0.0], [1.0, 0.9, 0.0], [3.0, 1.0, 0.0]]])
    found = golden.copy()
    found[0, 1] = [0.94, 0.96, 0.0]
    decided = decisions(found, golden, IDS, MASK, rounding=rounding)
    assert (decided.positions, decided.flips, decided.real_flips) == (3, 1, real)


def test_divergence_and_perplexity_are_torchs(golden: np.ndarray, ids: np.ndarray) -> None:
    found = golden + 0.1 * np.random.default_rng(2).standard_normal(golden.shape)
    decided = decisions(found, golden, ids, np.ones_like(ids), rounding=1e-6)
    ours, theirs = (functional.log_softmax(torch.from_numpy(x), dim=-1) for x in (golden, found))
    kl = functional.kl_div(theirs, ours, log_target=True, reduction="none").sum(-1).flatten().numpy()
    assert decided.kl_max == pytest.approx(kl.max(), rel=1e-9)
    assert decided.kl_mean == pytest.approx(kl.mean(), rel=1e-9)
    perplexity = [
        functional.cross_entropy(x[:, :-1].reshape(-1, 40), torch.from_numpy(ids[:, 1:]).flatten()).exp().item()
        for x in (torch.from_numpy(found), torch.from_numpy(golden))
    ]
    assert decided.perplexity == pytest.approx(perplexity[0] - perplexity[1], rel=1e-9)


def test_a_constant_shift_decides_nothing(golden: np.ndarray, ids: np.ndarray) -> None:
    shifted = decisions(golden + 5.0, golden, ids, np.ones_like(ids), rounding=1e-6)
    assert (shifted.flips, shifted.top5) == (0, 1.0)
    assert shifted.centred < 1e-12
    assert shifted.kl_max < 1e-12


def test_padding_decides_nothing(golden: np.ndarray, ids: np.ndarray) -> None:
    mask = np.ones_like(ids)
    mask[1, 50:] = 0
    found = golden.copy()
    found[1, 50:] = 0.0
    decided = decisions(found, golden, ids, mask, rounding=1e-6)
    assert (decided.positions, decided.flips, decided.perplexity) == (140, 0, 0.0)


def test_top_five(golden: np.ndarray, ids: np.ndarray) -> None:
    golden[:] = np.arange(40.0)
    found = golden.copy()
    found[..., 39] = -1.0  # golden's first choice is this run's last
    assert decisions(found, golden, ids, np.ones_like(ids), rounding=1e-6).top5 == pytest.approx(0.8)
    assert decisions(found, golden, ids, np.ones_like(ids), rounding=1e-6).flips == 180

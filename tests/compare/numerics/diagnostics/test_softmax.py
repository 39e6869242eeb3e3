"""Tests of the metrics of attention rows: sums, total variation, and likeliest keys."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.numerics.diagnostics.softmax import softmax_gap

NO_PADDING = np.ones((1, 4), dtype=np.int64)
NO_ROUNDING = np.zeros(2)


@pytest.fixture
def golden() -> np.ndarray:
    """Random causal attention, (1, 2 heads, 4 queries, 4 keys)."""
    scores = np.where(np.tri(4, dtype=bool), np.random.default_rng(0).standard_normal((1, 2, 4, 4)), -np.inf)
    weights = np.exp(scores)
    return weights / weights.sum(-1, keepdims=True)


def test_equal_probabilities_have_no_gap(golden) -> None:
    found = softmax_gap(golden, golden, NO_PADDING, rounding=NO_ROUNDING)
    assert (found.rows, found.flips, found.variation, found.relative) == (8, 0, 0.0, 0.0)
    assert found.row_sums < 1e-15


def test_a_row_that_was_scaled_no_longer_adds_up(golden) -> None:
    found = softmax_gap(golden * 0.99, golden, NO_PADDING, rounding=NO_ROUNDING)
    assert found.row_sums == pytest.approx(0.01)
    assert found.variation == pytest.approx(0.005)
    assert found.relative == pytest.approx(0.01)


def test_probability_that_moved_within_a_row(golden) -> None:
    run = golden.copy()
    run[0, 1, 3, :2] += [0.02, -0.02]
    found = softmax_gap(run, golden, NO_PADDING, rounding=NO_ROUNDING)
    assert found.variation == pytest.approx(0.02)
    assert found.row_sums < 1e-15


def test_a_key_that_flips_is_real_where_rounding_does_not_reach() -> None:
    golden = np.array([[[[1.0, 0.0], [0.5 + 1e-6, 0.5 - 1e-6]]]])
    run = golden[..., ::-1].copy()
    run[0, 0, 0] = golden[0, 0, 0]
    mask = np.ones((1, 2), dtype=np.int64)
    near, far = (softmax_gap(run, golden, mask, rounding=np.array([r])) for r in (1e-5, 1e-7))
    assert (near.flips, near.real_flips) == (1, 0)
    assert (far.flips, far.real_flips) == (1, 1)


def test_padding_and_hidden_keys_do_not_count(golden) -> None:
    run = golden.copy()
    run[0, :, 0, 3] = 9.0  # above the diagonal, which other code checks
    run[0, :, 3] = 7.0  # a padding query
    found = softmax_gap(run, golden, np.array([[1, 1, 1, 0]]), rounding=NO_ROUNDING)
    assert (found.rows, found.variation) == (6, 0.0)


def test_a_tiny_probability_has_no_relative_error_worth_naming() -> None:
    golden = np.array([[[[1.0, 0.0], [1 - 1e-9, 1e-9]]]])
    run = golden * np.array([1.0, 5.0])
    assert softmax_gap(run, golden, np.ones((1, 2)), rounding=np.zeros(1)).relative < 1e-8


@given(seed=st.integers(0, 2**32), keys=st.integers(1, 9), padded=st.booleans())
def test_flips_and_relative_errors_are_those_of_plain_numpy(seed: int, keys: int, padded: bool) -> None:
    random = np.random.default_rng(seed)
    golden = np.tril(random.integers(0, 4, (1, 2, keys, keys)) / 4)  # so few values that rows often have equal ones
    run = golden + random.integers(-1, 2, golden.shape) / 8
    mask = np.ones((1, keys), dtype=np.int64)
    mask[0, 0] = keys == 1 or not padded
    flips, real, relative = 0, 0, 0.0
    for head in range(2):
        for query in np.flatnonzero(mask):
            seen = np.flatnonzero(mask[0, : query + 1])
            found, truth = (np.zeros(keys) for _ in range(2))
            found[seen], truth[seen] = run[0, head, query, seen], golden[0, head, query, seen]
            relative = max([relative, *(abs(f - t) / t for f, t in zip(found, truth, strict=True) if t > 0)])
            if found.argmax() != truth.argmax():
                flips += 1
                real += sorted(truth)[-1] - sorted(truth)[-2] > 2 * 0.1
    found = softmax_gap(run, golden, mask, rounding=np.full(2, 0.1))
    assert (found.flips, found.real_flips, found.relative) == (flips, real, relative)

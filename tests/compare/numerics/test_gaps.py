"""Compare gaps with those that NumPy computes on whole tensors, and test edge cases."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from compare.numerics.gaps import WrongShape, gaps
from compare.numerics.tensors import query_rows
from compare.results.gaps import Gap


def gap(name: str, actual: np.ndarray, golden: np.ndarray, mask: np.ndarray) -> Gap:
    (found,) = gaps({name: actual}, {name: golden}, mask)
    return found


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), batch=st.integers(1, 3), length=st.integers(1, 20), padded=st.booleans())
def test_statistics_are_numpys(seed: int, batch: int, length: int, padded: bool) -> None:
    random = np.random.default_rng(seed)
    golden = random.standard_normal((batch, length, 7))
    actual = (golden + 1e-3 * random.standard_normal(golden.shape)).astype(np.float32)
    mask = np.ones((batch, length), np.int64)
    if padded:
        mask[-1, length // 2 + 1 :] = 0
    found = gap("hidden_state.3", actual, golden, mask)
    difference = np.sort(np.abs(actual - golden)[mask.astype(bool)].ravel())
    assert found.max == difference[-1]
    for share, quantile in ((0.5, found.p50), (0.99, found.p99), (0.999, found.p999)):
        assert quantile == pytest.approx(difference[int(np.ceil(share * difference.size)) - 1], rel=0.016)
    np.testing.assert_allclose(found.rms, np.sqrt((difference**2).mean()))
    np.testing.assert_allclose(found.size, np.sqrt((golden[mask.astype(bool)] ** 2).mean()))
    assert (found.tensor, found.above_diagonal) == ("hidden_state.3", None)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), length=st.integers(2, 12))
def test_attention_counts_below_the_diagonal_and_watches_above_it(seed: int, length: int) -> None:
    random = np.random.default_rng(seed)
    golden = np.tril(random.random((2, 3, length, length)))
    mask = np.ones((2, length), np.int64)
    assert gap("attention.0", golden, golden, mask).above_diagonal == 0
    leak = golden.copy()
    leak[1, 2, 0, length - 1] = 0.25
    found = gap("attention.0", leak, golden, mask)
    assert (found.max, found.above_diagonal) == (0, 0.25)
    off = golden.copy()
    off[0, 1, length - 1, 0] += 0.5
    assert gap("attention.0", off, golden, mask).max == pytest.approx(0.5)


def test_padding_is_left_out_as_query() -> None:
    golden = np.zeros((2, 1, 3, 4))
    actual = golden.copy()
    actual[1, :, 2] = 9.0
    mask = np.array([[1, 1, 1], [1, 1, 0]])
    assert gap("context.0", actual, golden, mask).max == 0
    assert gap("context.0", actual, golden, np.ones_like(mask)).max == 9
    assert query_rows("context.0", actual, mask).shape == (5, 1, 4)


def test_a_nan_is_not_overlooked() -> None:
    golden = np.zeros((1, 5, 2))
    actual = golden.copy()
    actual[0, 3, 1] = np.nan
    found = gap("logits", actual, golden, np.ones((1, 5)))
    assert np.isnan([found.max, found.rms, found.p999]).all()
    assert found.place == (0, 3, 1)


def test_float32_is_not_compared_in_float32() -> None:
    """A difference of a tenth of float32's resolution is detected, because golden is not rounded to float32."""
    golden = np.array([[[1.0 + 1e-8]]])
    assert gap("logits", golden.astype(np.float32), golden, np.ones((1, 1))).max == pytest.approx(1e-8)


def test_what_is_not_exposed_is_left_to_the_caller() -> None:
    golden = {"hidden_state.0": np.zeros((1, 1, 1)), "logits": np.zeros((1, 1, 1))}
    assert [g.tensor for g in gaps({"logits": np.zeros((1, 1, 1))}, golden, np.ones((1, 1)))] == ["logits"]


def test_a_wrong_shape_is_named() -> None:
    with pytest.raises(WrongShape, match=r"logits has shape \(1, 1, 2\), golden has \(1, 1, 3\)"):
        gap("logits", np.zeros((1, 1, 2)), np.zeros((1, 1, 3)), np.ones((1, 1)))

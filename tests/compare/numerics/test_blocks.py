"""Errors that are computed in blocks equal those of plain NumPy over whole tensors."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from compare.numerics import blocks
from compare.numerics.errors import FEWEST_POSITIONS, QUANTILES, error_of, ulps_of
from compare.numerics.tensors import by_head

SHAPES = {"attention.0": (2, 3), "query.1": (2, 3), "logits": (2,)}

#: Ways to lay the same numbers out in memory.
LAYOUTS = {
    "in order": lambda x: x,
    "reversed axes": np.asfortranarray,
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder(">")),
}


@st.composite
def tensors(draw: st.DrawFn) -> tuple[str, Any, Any, Any, Any]:
    """Draw a name, a run's tensor, the reference, and the masks of queries and keys, with at least one query."""
    name = draw(st.sampled_from(sorted(SHAPES)))
    sequence = draw(st.sampled_from([1, 2, 7, 16, 20, 64, 128]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    width = sequence + draw(st.sampled_from([0, 0, 3, 64])) if name == "attention.0" else draw(st.integers(1, 9))
    reference = random.standard_normal((*SHAPES[name], sequence, width)) * 10.0 ** draw(st.integers(-30, 30))
    if name == "attention.0" and draw(st.booleans()):
        reference = np.tril(reference, width - sequence)
    actual = reference * (1 + 1e-7 * random.standard_normal(reference.shape))
    for value in draw(st.lists(st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30]), max_size=3)):
        place = tuple(int(random.integers(length)) for length in reference.shape)
        for tensor in draw(st.sampled_from([(actual,), (reference,), (actual, reference)])):
            tensor[place] = value
    with np.errstate(over="ignore"):
        actual = LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))](actual.astype(draw(st.sampled_from(["f4", "f8"]))))
    reference = LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))](reference)
    queries, keys = np.ones((2, sequence), dtype=np.int64), np.ones((2, max(width, sequence)), dtype=np.int64)
    padded = draw(st.sampled_from(["nothing", "left", "right", "anything"]))
    if padded == "left":
        queries[1, : sequence // 2] = keys[1, : sequence // 2] = 0
    elif padded == "right":
        queries[1, sequence - sequence // 2 :] = keys[0, -sequence // 2 :] = 0
    elif padded == "anything":
        queries, keys = (random.integers(0, 2, mask.shape) for mask in (queries, keys))
    assume(queries.any())
    return name, actual, reference, queries, keys


def compared(name: str, reference: Any, queries: Any, keys: Any, causal: bool) -> tuple[Any, Any, Any]:
    """Return what is compared, above the diagonal and on padding: three masks of the tensor's shape."""
    position = 2 if by_head(name) else 1
    shape = [length if axis in (0, position) else 1 for axis, length in enumerate(reference.shape)]
    chosen = np.broadcast_to(queries.astype(bool).reshape(shape), reference.shape)
    if name != "attention.0":
        return chosen, np.zeros_like(chosen), np.zeros_like(chosen)
    before = np.tri(*reference.shape[2:], reference.shape[3] - reference.shape[2], dtype=bool)
    before = before if causal else np.ones_like(before)
    seen = before & keys.astype(bool)[:, None, None, :]
    return chosen & seen, chosen & ~before, chosen & before & ~seen


def bin_middle(values: Any, share: float) -> float:
    """Return the middle of the bin of a quantile by nearest rank."""
    ordered = np.sort(np.abs(values))
    value = ordered[max(int(np.ceil(share * len(ordered))), 1) - 1]
    low = np.array(value).view(np.int64) >> 47
    low, high = (np.array((low + i) << 47).view(np.float64) for i in (0, 1))
    return 0.0 if value < 2.0**-1022 / 32 else float((low + high) / 2)


@given(case=tensors(), size=st.sampled_from([1, 100, 5000, 2**18]), causal=st.booleans())
def test_errors_are_those_of_plain_numpy(case: tuple[str, Any, Any, Any, Any], size: int, causal: bool) -> None:
    name, actual, reference, queries, keys = case
    chosen, above, padding = compared(name, reference, queries, keys, causal)
    assume(chosen.any())
    found, truth = actual.astype(np.float64), reference.astype(np.float64)
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr(blocks, "SIZE", size)
        error = error_of(name, actual, reference, queries, keys, causal=causal)
        difference = found - truth
        groups = [np.s_[:, head] for head in range(reference.shape[1])] if name == "attention.0" else [np.s_[:]]
        for number, group in enumerate(groups):
            gap, true = difference[group][chosen[group]], truth[group][chosen[group]]
            assert error.max[number] == pytest.approx(np.abs(gap).max(initial=0.0), rel=0, abs=0, nan_ok=True)
            assert error.largest[number] == pytest.approx(np.abs(true).max(initial=0.0), rel=0, abs=0, nan_ok=True)
            squares, products, sizes = (gap * gap).sum(), (gap * true).sum(), (true * true).sum()
            np.testing.assert_allclose(error.rms[number], np.sqrt(squares / gap.size), rtol=1e-12)
            np.testing.assert_allclose(error.size[number], np.sqrt(sizes / gap.size), rtol=1e-12)
            scale = np.abs(gap * true).sum() / (sizes if sizes > 0 else 1.0)
            slope = abs(products) / (sizes if sizes > 0 else 1.0)
            np.testing.assert_allclose(error.slope[number], slope, rtol=1e-12, atol=1e-12 * np.nan_to_num(scale))
        assert error.above == pytest.approx(np.abs(found).max(where=above, initial=0.0), rel=0, abs=0, nan_ok=True)
        assert error.padding == pytest.approx(np.abs(found).max(where=padding, initial=0.0), rel=0, abs=0, nan_ok=True)
        assert error.nan == (np.isnan(difference[chosen]).any() and not np.isnan(truth[chosen]).any())
        worst = np.abs(difference).max(where=chosen, initial=0.0)
        assert abs(difference[error.place]) == pytest.approx(worst, rel=0, abs=0, nan_ok=True) or worst == 0
        expected = [bin_middle(difference[chosen], share) for share in QUANTILES]
        assert error.quantiles == pytest.approx(expected, rel=1e-9, abs=0, nan_ok=True)
        if name == "logits" and queries.sum() >= FEWEST_POSITIONS:
            channels = np.sqrt((difference[queries.astype(bool)] ** 2).mean(axis=0))
            np.testing.assert_allclose(error.channels, channels, rtol=1e-12)


@given(case=tensors(), size=st.sampled_from([1, 5000, 2**18]), causal=st.booleans())
def test_units_in_the_last_place_are_those_of_plain_numpy(
    case: tuple[str, Any, Any, Any, Any], size: int, causal: bool
) -> None:
    name, actual, reference, queries, _ = case
    assume(name != "attention.0" or reference.shape[2] == reference.shape[3])
    chosen, *_ = compared(name, reference, queries, queries, causal)
    assume(chosen.any())
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr(blocks, "SIZE", size)
        found, truth = actual.astype(np.float64)[chosen], reference.astype(np.float64)[chosen]
        units = (found - truth) / np.spacing(np.abs(truth).astype(np.float32)).astype(np.float64)
        expected = [bin_middle(units, share) for share in QUANTILES]
        found = ulps_of(name, actual, reference, queries, causal=causal)
        assert found == pytest.approx(expected, rel=1e-9, abs=0, nan_ok=True)


@pytest.mark.parametrize("size", [1, 3 * 64 * 10, 2**18])
def test_keys_that_are_cut_off_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    random = np.random.default_rng(5)
    truth = np.tril(random.random((1, 3, 192, 192)))
    found = (truth * (1 + 1e-7 * random.standard_normal(truth.shape))).astype(np.float32)
    mask = np.ones((1, 192), dtype=np.int64)
    mask[0, :70] = 0
    monkeypatch.setattr(blocks, "SIZE", size)
    cut = vars(error_of("attention.0", found, truth, mask))
    monkeypatch.setattr(blocks, "_STEP", 1000)  # no number of keys here is a multiple of it, so nothing is cut off
    for field, whole in vars(error_of("attention.0", found, truth, mask)).items():
        np.testing.assert_array_equal(cut[field], whole, err_msg=field)

"""Test that attention maps keep what they say in one byte a probability, and fit into the page."""

from pathlib import Path

import numpy as np
import pytest

from compare.report.render.page.attention_maps import (
    DIFFERENCE_BYTES,
    GOLDEN_BYTES,
    NOT_FINITE,
    attention_maps,
)
from compare.report.schema import Report
from tests.helpers.attention_maps import RUNTIMES, attention, with_maps


def test_probabilities_and_differences_survive_in_one_byte(report: Report, tmp_path: Path) -> None:
    golden, run = (attention(1, 3, 16, seed, causal=True) for seed in (0, 1))
    maps = attention_maps(with_maps(report, tmp_path, golden, run, different=1))
    assert maps is not None
    half = np.tril_indices(16)
    assert (maps.causal, maps.positions) == (True, 16)
    assert maps.golden[0].dtype == np.uint8
    kept = maps.differences["runtime-0"]
    assert kept.codes.dtype == np.int8
    assert kept.heads == [(0, 0), (0, 1), (0, 2)]
    for head in range(3):
        truth = golden["attention.0"][0, head][half]
        difference = run["attention.0"][0, head][half] - truth
        np.testing.assert_allclose((maps.golden[0][head] / 255.0) ** 2, truth, atol=0.005)
        assert kept.largest[head] == pytest.approx(np.abs(difference).max())
        decoded = np.sign(kept.codes[head]) * (kept.codes[head] / 127.0) ** 2 * kept.largest[head]
        np.testing.assert_allclose(decoded, difference, atol=0.01 * kept.largest[head])


def test_the_worst_heads_of_a_runtime_that_is_not_different(report: Report, tmp_path: Path) -> None:
    golden = attention(1, 4, 16, 0, causal=True)
    run = {name: array + np.tril(1e-7 * np.arange(4)[:, None, None] * array) for name, array in golden.items()}
    maps = attention_maps(with_maps(report, tmp_path, golden, run, different=0))
    assert maps is not None
    assert maps.differences["runtime-0"].heads == [(0, 2), (0, 3)]


def test_a_difference_that_is_not_finite_has_a_code_of_its_own(report: Report, tmp_path: Path) -> None:
    golden = attention(1, 1, 4, 0, causal=True)
    broken = {"attention.0": golden["attention.0"].copy()}
    broken["attention.0"][0, 0, 2, 1] = np.nan
    maps = attention_maps(with_maps(report, tmp_path, golden, broken, different=1))
    assert maps is not None
    codes = maps.differences["runtime-0"].codes[0]
    assert np.flatnonzero(codes == NOT_FINITE).tolist() == [4]  # row 2 begins at 3
    assert set(codes.tolist()) == {0, NOT_FINITE}


def test_encoders_have_whole_maps(report: Report, tmp_path: Path) -> None:
    golden, run = (attention(1, 2, 8, seed, causal=False) for seed in (0, 1))
    encoder = with_maps(report, tmp_path, golden, run, different=0)
    assert encoder.model is not None
    encoder.model.output = "last_hidden_state"
    maps = attention_maps(encoder)
    assert maps is not None and not maps.causal
    np.testing.assert_allclose((maps.golden[0][1] / 255.0) ** 2, golden["attention.0"][0, 1].ravel(), atol=0.005)


def test_a_report_without_maps_has_none(report: Report, tmp_path: Path) -> None:
    copy = report.model_copy(deep=True)
    copy.write(tmp_path)
    assert attention_maps(copy) is None
    np.savez(tmp_path / "maps.npz", **{"golden/0": np.ones((4, 4))})  # an older report, which kept three heads
    assert attention_maps(copy) is None


@pytest.mark.parametrize("different", [0, 1, RUNTIMES])
@pytest.mark.parametrize(("layers", "heads", "room"), [(6, 12, True), (12, 16, False)])
def test_they_are_within_their_limits(
    report: Report, tmp_path: Path, layers: int, heads: int, room: bool, different: int
) -> None:
    """room: whether there is room for all heads of a runtime that is different."""
    golden, run = (attention(layers, heads, 128, seed, causal=True) for seed in (0, 1))
    maps = attention_maps(with_maps(report, tmp_path, golden, run, different))
    assert maps is not None
    assert sum(codes.nbytes for codes in maps.golden.values()) <= GOLDEN_BYTES
    kept = [found.codes for found in maps.differences.values()]
    assert sum(codes.nbytes for codes in kept) <= DIFFERENCE_BYTES
    assert len(kept) == RUNTIMES
    assert all(len(codes) >= layers for codes in kept)
    assert (len(kept[0]) == layers * heads) == (room and different > 0)

"""Test that attention maps keep what they say in one byte a probability, and fit into the page."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compare.numerics.diagnostics.heads import difference_maps, golden_maps
from compare.report.render.page.attention_maps import (
    DIFFERENCE_BYTES,
    GOLDEN_BYTES,
    NOT_FINITE,
    attention_maps,
)
from compare.report.schema import Report
from tests.helpers.reports import verdict

#: The number of runtimes of `--runtimes all`.
RUNTIMES = 20


def attention(layers: int, heads: int, sequence: int, seed: int, *, causal: bool) -> dict[str, np.ndarray]:
    """Return a trace of random attention, (1, heads, query, key) for each layer."""
    rng = np.random.default_rng(seed)
    found = {}
    for layer in range(layers):
        weights = np.exp(3 * rng.standard_normal((1, heads, sequence, sequence)))
        weights = np.tril(weights) if causal else weights
        found[f"attention.{layer}"] = weights / weights.sum(-1, keepdims=True)
    return found


def with_maps(
    report: Report, folder: Path, golden: dict[str, np.ndarray], run: dict[str, np.ndarray], different: int
) -> Report:
    """Return a report of so many runtimes with this attention, the first of them different, with its maps."""
    names = [f"runtime-{number}" for number in range(RUNTIMES)]
    maps = {f"golden/{name}": array for name, array in golden_maps(golden).items()}
    found = difference_maps(run, golden)
    maps |= {f"{name}/{tensor}": array for name in names for tensor, array in found.items()}
    copy = report.model_copy(deep=True)
    known = next(row for row in copy.runtimes if row.gaps and row.gaps[4].tensor == "attention.0")
    layer = next(gap for gap in known.gaps if gap.heads)
    gaps = [
        replace(layer, tensor=tensor, heads=tuple(np.abs(run[tensor] - golden[tensor]).max(axis=(0, 2, 3)).tolist()))
        for tensor in golden
    ]
    wrong = verdict("different", tensor="attention.0", place="layer 0, attention", statistic="rms", multiple=9)
    fine = verdict("rounding", tensor="attention.0", place="layer 0, attention", statistic="rms", multiple=1)
    copy.runtimes = [
        replace(known, name=name, gaps=gaps, padding=None, verdict=wrong if at < different else fine)
        for at, name in enumerate(names)
    ]
    sequence = golden["attention.0"].shape[-1]
    copy.input.tokens, copy.input.sequence = ["word"] * sequence, sequence
    folder.mkdir(exist_ok=True)
    np.savez(folder / "maps.npz", **maps)
    copy.write(folder)
    return copy


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

"""Test the exponents of `benchmarks.scaling` on samples whose growth is known."""

from math import isnan, nan

import numpy as np
import pytest

from benchmarks.scaling import EAGER, SDPA, latency_slope, ratios, slope
from tests.helpers.series import series_of

SIDES = (EAGER, SDPA)
SEQUENCES = [32, 64, 128, 256, 512, 1024]


def rounds_of(exponent: float, constant: float, seed: int) -> list[list[float]]:
    """Return twenty rounds at each point, with 10 % of noise."""
    noise = np.random.default_rng(seed).normal(1, 0.1, (len(SEQUENCES), 20))
    return [list((constant + n**exponent) * row) for n, row in zip(SEQUENCES, noise, strict=True)]


def test_the_interval_covers_an_exponent_that_is_known() -> None:
    covered = [
        found.low <= 1.5 <= found.high for found in (latency_slope(SEQUENCES, rounds_of(1.5, 0, s)) for s in range(40))
    ]
    assert sum(covered) >= 34


def test_the_lower_half_of_the_sizes_is_left_out_because_constants_dominate_it() -> None:
    plain = np.polyfit(np.log(SEQUENCES), np.log([200 + n for n in SEQUENCES]), 1)[0]
    found = latency_slope(SEQUENCES, rounds_of(1, 200, 0))
    assert plain < 0.5 < 0.6 < found.median < 1


def test_how_much_faster_one_grows_is_told_from_rounds_that_slowed_both() -> None:
    """A point whose rounds are all slower changes the exponent of the times, but not that of their ratio."""
    slowed = np.random.default_rng(2).uniform(1, 2, len(SEQUENCES))
    steep, flat = (np.array(rounds_of(exponent, 0, 0)) * slowed[:, None] for exponent in (1.6, 1.2))
    sides = [
        {
            name: series_of(name, turns={i: [int(1e6 * ns)] for i, ns in enumerate(row)})
            for name, row in zip(SIDES, rows, strict=True)
        }
        for rows in zip(steep, flat, strict=True)
    ]
    apart = latency_slope(SEQUENCES, [ratios(both) for both in sides])
    assert (apart.low, apart.median, apart.high) == pytest.approx((0.4, 0.4, 0.4), abs=1e-4)
    assert abs(latency_slope(SEQUENCES, steep.tolist()).median - 1.6) > 0.1


@pytest.mark.parametrize(("x", "y"), [([1], [3.0]), ([1, 2, 4], [1.0, 0.0, 5.0]), ([1, 2, 4], [1.0, nan, 5.0])])
def test_there_is_no_exponent_of_one_place_or_of_nothing(x: list[int], y: list[float]) -> None:
    assert isnan(slope(x, y))

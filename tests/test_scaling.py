"""The exponents of `benchmarks.scaling` on samples whose growth is known."""

from math import isnan, nan

import numpy as np
import pytest

from benchmarks.scaling import Slope, latency_slope, slope

SEQUENCES = [32, 64, 128, 256, 512, 1024]


def rounds_of(exponent: float, constant: float, seed: int) -> list[list[float]]:
    """Twenty rounds at each place, off by 10 % each."""
    noise = np.random.default_rng(seed).normal(1, 0.1, (len(SEQUENCES), 20))
    return [list((constant + n**exponent) * row) for n, row in zip(SEQUENCES, noise, strict=True)]


def test_the_interval_covers_an_exponent_that_is_known() -> None:
    covered = [
        found.low <= 1.5 <= found.high for found in (latency_slope(SEQUENCES, rounds_of(1.5, 0, s)) for s in range(40))
    ]
    assert sum(covered) >= 34


def test_what_is_constant_weighs_on_the_lower_half_which_is_left_out() -> None:
    plain = np.polyfit(np.log(SEQUENCES), np.log([200 + n for n in SEQUENCES]), 1)[0]
    found = latency_slope(SEQUENCES, rounds_of(1, 200, 0))
    assert plain < 0.5 < 0.6 < found.median < 1


def test_two_exponents_are_told_apart_by_their_difference() -> None:
    steep, flat = latency_slope(SEQUENCES, rounds_of(1.6, 0, 0)), latency_slope(SEQUENCES, rounds_of(1.2, 0, 1))
    apart = Slope.of(steep.median - flat.median, steep.draws - flat.draws)
    assert 0 < apart.low < 0.4 < apart.high


@pytest.mark.parametrize(("x", "y"), [([1], [3.0]), ([1, 2, 4], [1.0, 0.0, 5.0]), ([1, 2, 4], [1.0, nan, 5.0])])
def test_there_is_no_exponent_of_one_place_or_of_nothing(x: list[int], y: list[float]) -> None:
    assert isnan(slope(x, y))

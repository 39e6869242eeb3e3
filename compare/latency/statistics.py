"""What samples of latency say: medians, spreads, and ratios paired by round with a bootstrap interval."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
CONFIDENCE = 0.95

#: Fewer rounds than this say nothing of how much they vary.
FEWEST_ROUNDS = 3


@dataclass(frozen=True)
class Ratio:
    """A runtime's time over the baseline's: the median over rounds and its bootstrap interval."""

    median: float
    low: float
    high: float

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves 1 out.

        >>> Ratio(0.5, 0.48, 0.53).told_apart, Ratio(1.01, 0.98, 1.03).told_apart
        (True, False)
        """
        return self.low > 1 or self.high < 1


def turn_medians(turns: dict[int, list[int]]) -> dict[int, float]:
    """Round -> median of its samples, in the samples' unit."""
    return {number: float(np.median(samples)) for number, samples in turns.items()}


def paired_ratio(turns: dict[int, list[int]], baseline: dict[int, list[int]], seed: int) -> Ratio | None:
    """The ratio of medians, round by round, over the rounds that both have; None where they share none.

    What slows a whole round slows both sides of its ratio, and cancels. The interval is the percentile bootstrap's over
    rounds (Efron 1979), resampled with a seed, so the same samples always give the same interval.

    >>> paired_ratio({0: [10], 1: [30]}, {0: [20], 1: [60]}, seed=0)
    Ratio(median=0.5, low=0.5, high=0.5)
    """
    mine, theirs = turn_medians(turns), turn_medians(baseline)
    shared = sorted(mine.keys() & theirs.keys())
    if not shared:
        return None
    ratios = np.array([mine[number] / theirs[number] for number in shared])
    low, high = _interval(ratios, seed)
    return Ratio(float(np.median(ratios)), low, high)


def log_ratios(turns: dict[int, list[int]], baseline: dict[int, list[int]]) -> NDArray[np.float64]:
    """The logarithm of the ratio of medians, a number for each round that both have, in the order of the rounds.

    >>> np.exp(log_ratios({0: [10], 1: [30]}, {1: [60], 0: [20], 2: [1]})).round(12).tolist()
    [0.5, 0.5]
    """
    mine, theirs = turn_medians(turns), turn_medians(baseline)
    return np.array([np.log(mine[number] / theirs[number]) for number in sorted(mine.keys() & theirs.keys())])


def ratio_of_ratios(older: NDArray[np.float64], newer: NDArray[np.float64], seed: int) -> Ratio | None:
    """How many times the older run's ratio to its baseline the newer run's is, from the log ratios of their rounds.

    older, newer: (rounds,), of two runs that share nothing, so that each is resampled by itself. The bootstrap's
    percentile interval is too narrow where rounds are few: it divides by their number and not by one less, and is as
    wide as if the scatter were known. So its distances from the estimate are stretched by the ratio of Student's
    quantile to the normal's and by that root (the expanded percentile interval of Hesterberg 2015), with Welch's
    degrees of freedom. None where a run has fewer than three rounds.

    >>> older, newer = np.log([0.50, 0.51, 0.49, 0.50, 0.52]), np.log([0.60, 0.61, 0.59, 0.62, 0.60])
    >>> ratio = ratio_of_ratios(older, newer, seed=0)
    >>> round(ratio.median, 3), ratio.low > 1.1
    (1.2, True)
    """
    if min(older.size, newer.size) < FEWEST_ROUNDS:
        return None
    generator = np.random.default_rng(seed)
    change = np.median(newer) - np.median(older)
    changes = _resampled_medians(newer, generator) - _resampled_medians(older, generator)
    freedom = _degrees_of_freedom(older, newer)
    stretch = _student_quantile(freedom) / _normal_quantile() * sqrt((freedom + 1) / freedom)
    low, high = change + stretch * (np.quantile(changes, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]) - change)
    return Ratio(*(float(np.exp(value)) for value in (change, low, high)))


def relative_spread(samples: list[int]) -> float:
    """Interquartile range over the median, 0 being perfectly steady."""
    low, middle, high = np.quantile(samples, [0.25, 0.5, 0.75])
    return float((high - low) / middle)


def _interval(values: NDArray[np.float64], seed: int) -> tuple[float, float]:
    medians = _resampled_medians(values, np.random.default_rng(seed))
    low, high = np.quantile(medians, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _resampled_medians(values: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """The medians of as many values drawn with replacement, `RESAMPLES` times."""
    picks = generator.integers(0, values.size, size=(RESAMPLES, values.size))
    medians: NDArray[np.float64] = np.median(values[picks], axis=1)
    return medians


def _degrees_of_freedom(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Of the difference of two means whose variances are not known to be equal (Welch 1947).

    >>> _degrees_of_freedom(np.array([1.0, 2.0, 3.0]), np.array([5.0, 6.0, 7.0]))
    4.0
    """
    parts = [(values.var(ddof=1) / values.size, values.size - 1) for values in (first, second)]
    spread = sum(part for part, _ in parts)
    if spread == 0:
        return float(first.size + second.size - 2)
    return float(spread**2 / sum(part**2 / freedom for part, freedom in parts))


def _normal_quantile() -> float:
    return NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def _student_quantile(freedom: float) -> float:
    """Student's quantile at `CONFIDENCE`, expanded around the normal's (Abramowitz and Stegun, 26.7.5).

    For 95 % within 0.8 % of the tables' from two degrees of freedom on.

    >>> [round(_student_quantile(freedom), 2) for freedom in (2, 3, 4, 10, 1000)]
    [4.27, 3.18, 2.78, 2.23, 1.96]
    """
    z = _normal_quantile()
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))

"""What samples of latency say: medians, spreads, and ratios paired by round with a bootstrap interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
CONFIDENCE = 0.95


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


def relative_spread(samples: list[int]) -> float:
    """Interquartile range over the median, 0 being perfectly steady."""
    low, middle, high = np.quantile(samples, [0.25, 0.5, 0.75])
    return float((high - low) / middle)


def _interval(values: NDArray[np.float64], seed: int) -> tuple[float, float]:
    generator = np.random.default_rng(seed)
    picks = generator.integers(0, values.size, size=(RESAMPLES, values.size))
    medians = np.median(values[picks], axis=1)
    low, high = np.quantile(medians, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)

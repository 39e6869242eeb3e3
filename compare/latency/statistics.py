"""Statistics of latency samples: medians, spreads, drift, and ratios paired by round with a bootstrap interval."""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.results.latency import Ratio

RESAMPLES = 2000
CONFIDENCE = 0.95

#: Round -> the samples of a worker's turn in it, in nanoseconds.
Turns = Mapping[int, Sequence[int]]

#: The range of n rounds contains the true median in 1 - 2**(1 - n) of all cases, which reaches 95 % at six.
_FEWEST_FOR_BOOTSTRAP = 6

_NORMAL = NormalDist()

#: The fewest rounds of each run for `ratio_of_ratios`; fewer do not show how much a run varies.
FEWEST_FOR_CHANGE = 3


def turn_medians(turns: Turns) -> dict[int, float]:
    """Return round -> median of its samples, in the samples' unit."""
    return {number: float(np.median(samples)) for number, samples in turns.items()}


def typical(turns: Turns) -> float:
    """Return the median of the turns' medians, in the samples' unit. Tables show this as the time of a call.

    >>> typical({0: [1, 100, 3], 2: [4, 6], 3: [4]})
    4.0
    """
    return float(np.median(list(turn_medians(turns).values())))


def paired_ratio(turns: Turns, baseline: Turns, seed: int) -> Ratio | None:
    """Return the ratio of two times, paired by round, with its interval; None if there is no common round.

    The ratio of a round is the median of one turn over the median of the other. The estimate is the midmean of these
    ratios on a logarithmic scale. A disturbance of a whole round slows both sides and cancels. The same samples and
    seed always give the same interval.

    >>> paired_ratio({0: [10], 1: [30]}, {0: [20], 1: [60]}, seed=0)
    Ratio(estimate=0.5, low=0.5, high=0.5)
    """
    logs = log_ratios(turns, baseline)
    if not logs.size:
        return None
    low, high = interval(logs, seed)
    return Ratio(estimate=math.exp(midmean(logs)), low=math.exp(low), high=math.exp(high))


def log_ratios(turns: Turns, baseline: Turns) -> NDArray[np.float64]:
    """Return the logarithm of the ratio of medians for every common round, because ratios average as logarithms."""
    mine, theirs = turn_medians(turns), turn_medians(baseline)
    return np.array([math.log(mine[number] / theirs[number]) for number in sorted(mine.keys() & theirs.keys())])


def midmean(values: NDArray[np.float64]) -> Any:
    """Return the mean of the middle half along the last axis (Tukey 1977). A quarter is left out at either end.

    It is not affected if up to a quarter of all rounds is disturbed in one direction. With ordinary noise, it varies
    less than the median, which uses only the one or two values in the middle.

    values: (..., rounds). The result is (...), or a number for one axis.

    >>> float(midmean(np.array([0.1, 0.3, 0.2, 9.0]))), float(midmean(np.array([0.1, 0.2])))
    (0.25, 0.15000000000000002)
    """
    size = values.shape[-1]
    cut = (size + 1) // 4
    return np.partition(values, (cut, size - cut - 1))[..., cut : size - cut].mean(axis=-1)


def interval(values: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """Return a 95 % interval of the midmean of independent values, one per round.

    With few rounds, the bootstrap's percentile interval is too narrow, by as much as the normal distribution is
    narrower than Student's t. So it is taken at wider percentiles (the expanded percentile interval of Hesterberg 2015,
    "What teachers should know about the bootstrap", section 4.3). With fewer than six rounds, no resampled midmean is
    far enough from the estimate; the interval is then Student's interval around the mean. For one value it is infinite.

    >>> interval(np.array([0.1]), seed=0)
    (-inf, inf)
    """
    size = values.size
    if size == 1:
        return -math.inf, math.inf
    if size < _FEWEST_FOR_BOOTSTRAP:
        reach = student(size - 1) * float(values.std(ddof=1)) / math.sqrt(size)
        return float(values.mean()) - reach, float(values.mean()) + reach
    midmeans = _resampled_midmeans(values, np.random.default_rng(seed))
    tail = _NORMAL.cdf(-math.sqrt(size / (size - 1)) * student(size - 1))
    low, high = np.quantile(midmeans, [tail, 1 - tail])
    return float(low), float(high)


def ratio_of_ratios(older: NDArray[np.float64], newer: NDArray[np.float64], seed: int) -> Ratio | None:
    """Return the newer run's ratio divided by the older run's; None if a run has fewer than three rounds.

    older, newer: log ratios of the rounds of each run (`log_ratios`), (rounds,).

    The runs are independent, so each is resampled by itself. The percentile interval is widened as in `interval`.
    Because the runs may have different numbers of rounds, the distances of its ends from the estimate are multiplied by
    a factor for Welch's degrees of freedom.

    >>> older, newer = np.log([0.50, 0.51, 0.49, 0.50, 0.52]), np.log([0.60, 0.61, 0.59, 0.62, 0.60])
    >>> ratio = ratio_of_ratios(older, newer, seed=0)
    >>> round(ratio.estimate, 2), ratio.low > 1.1
    (1.2, True)
    """
    if min(older.size, newer.size) < FEWEST_FOR_CHANGE:
        return None
    generator = np.random.default_rng(seed)
    change = midmean(newer) - midmean(older)
    changes = _resampled_midmeans(newer, generator) - _resampled_midmeans(older, generator)
    freedom = _degrees_of_freedom(older, newer)
    stretch = student(freedom) / _NORMAL.inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt((freedom + 1) / freedom)
    low, high = change + stretch * (np.quantile(changes, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]) - change)
    return Ratio(estimate=math.exp(change), low=math.exp(low), high=math.exp(high))


def student(degrees: float) -> float:
    """Return the quantile of Student's t for a two-sided 95 % interval, for at least one degree of freedom.

    It is exact for one and two degrees of freedom. For more, formula 26.7.5 of Abramowitz and Stegun (1964) is used,
    whose error is at most 0.004.

    >>> [round(student(degrees), 2) for degrees in (1, 2, 3, 10, 1000)]
    [12.71, 4.3, 3.18, 2.23, 1.96]
    """
    share = (1 + CONFIDENCE) / 2
    if degrees == 1:
        return math.tan(math.pi * (share - 0.5))
    if degrees == 2:
        return (2 * share - 1) / math.sqrt(2 * share * (1 - share))
    z = _NORMAL.inv_cdf(share)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / degrees**power for power, term in enumerate(terms, start=1))


def relative_spread(samples: Sequence[int]) -> float:
    """Return the interquartile range divided by the median; 0 if all samples are equal."""
    low, middle, high = np.quantile(samples, [0.25, 0.5, 0.75])
    return float((high - low) / middle)


def percentile(samples: Sequence[int], share: float) -> float | None:
    """Return the value below which a share of all samples lies; None if there are too few samples.

    There are enough if at least two samples lie beyond the true percentile in 99 of 100 cases: 64 samples for the 90th
    percentile, 662 for the 99th.

    >>> percentile(range(64), 0.9), percentile(range(63), 0.9)
    (56.7, None)
    """
    size, beyond = len(samples), 1 - share
    fewer_than_two = share**size + size * beyond * share ** (size - 1)
    return None if fewer_than_two > 0.01 else float(np.quantile(samples, share))


def outliers(samples: Sequence[int]) -> int:
    """Count the samples more than three interquartile ranges above the third quartile (Tukey 1977: "far out").

    >>> outliers([10, 11, 12, 11, 10, 90])
    1
    """
    low, high = np.quantile(samples, [0.25, 0.75])
    return int(np.count_nonzero(np.asarray(samples) > high + 3 * (high - low)))


def drift(turns: Turns) -> float | None:
    """Return the share by which a worker became slower from first to last round; None without a significant trend.

    The trend is the median of all slopes between two rounds (Theil 1950, Sen 1968). It is significant if Kendall's test
    rejects "no trend" at 1 % (Mann 1945). At least five rounds are needed.

    >>> round(drift({i: [100 + i] for i in range(21)}), 2), drift({i: [100 + i % 2] for i in range(21)})
    (0.2, None)
    """
    numbers = sorted(turns)
    size = len(numbers)
    if size < 5:
        return None
    medians = turn_medians(turns)
    logs = np.log([medians[number] for number in numbers])
    first, second = np.triu_indices(size, k=1)
    rises = logs[second] - logs[first]
    variance = size * (size - 1) * (2 * size + 5) / 18
    surprise = (abs(float(np.sign(rises).sum())) - 1) / math.sqrt(variance)
    if surprise < _NORMAL.inv_cdf(0.995):
        return None
    return math.expm1(float(np.median(rises / (second - first))) * (size - 1))


def _resampled_midmeans(values: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Return the midmeans of `RESAMPLES` samples of the values, drawn with replacement: (RESAMPLES,)."""
    midmeans: NDArray[np.float64] = midmean(values[generator.integers(0, values.size, size=(RESAMPLES, values.size))])
    return midmeans


def _degrees_of_freedom(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the degrees of freedom of a difference of two means with unequal variances (Welch 1947).

    >>> _degrees_of_freedom(np.array([1.0, 2.0, 3.0]), np.array([5.0, 6.0, 7.0]))
    4.0
    """
    parts = [(values.var(ddof=1) / values.size, values.size - 1) for values in (first, second)]
    spread = sum(part for part, _ in parts)
    if spread == 0:
        return float(first.size + second.size - 2)
    return float(spread**2 / sum(part**2 / freedom for part, freedom in parts))

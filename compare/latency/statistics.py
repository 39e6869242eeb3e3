"""What samples of latency say: medians, spreads, drift, and ratios paired by round with a bootstrap interval."""

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

#: With fewer rounds even the range of all of them holds the middle less often than in 95 of 100 cases: 1 - 2**(1 - n).
_FEWEST_FOR_BOOTSTRAP = 6

_NORMAL = NormalDist()

#: Fewer rounds than this say nothing of how much two runs vary.
FEWEST_ROUNDS = 3


def turn_medians(turns: Turns) -> dict[int, float]:
    """Round -> median of its samples, in the samples' unit."""
    return {number: float(np.median(samples)) for number, samples in turns.items()}


def typical(turns: Turns) -> float:
    """The median over turns of each one's median: what a table says a call takes, in the samples' unit.

    >>> typical({0: [1, 100, 3], 2: [4, 6], 3: [4]})
    4.0
    """
    return float(np.median(list(turn_medians(turns).values())))


def paired_ratio(turns: Turns, baseline: Turns, seed: int) -> Ratio | None:
    """The ratio of medians in a round, and its midmean over the rounds that both have; None where they share none.

    What slows a whole round slows both sides of its ratio, and cancels. The same samples always give the same interval.

    >>> paired_ratio({0: [10], 1: [30]}, {0: [20], 1: [60]}, seed=0)
    Ratio(estimate=0.5, low=0.5, high=0.5)
    """
    logs = log_ratios(turns, baseline)
    if not logs.size:
        return None
    low, high = interval(logs, seed)
    return Ratio(estimate=math.exp(midmean(logs)), low=math.exp(low), high=math.exp(high))


def log_ratios(turns: Turns, baseline: Turns) -> NDArray[np.float64]:
    """The logarithm of the ratio of medians in every round that both have: ratios multiply, so their logarithms add."""
    mine, theirs = turn_medians(turns), turn_medians(baseline)
    return np.array([math.log(mine[number] / theirs[number]) for number in sorted(mine.keys() & theirs.keys())])


def midmean(values: NDArray[np.float64]) -> Any:
    """The mean of the middle half along the last axis (Tukey 1977), a quarter being left out at either end.

    A quarter of all rounds may be disturbed in one direction and it holds, and under the noise of an ordinary round it
    varies less than a median, which has nothing but the one or two values in the middle.

    values: (..., rounds). Returns (...), a number for one axis.

    >>> float(midmean(np.array([0.1, 0.3, 0.2, 9.0]))), float(midmean(np.array([0.1, 0.2])))
    (0.25, 0.15000000000000002)
    """
    size = values.shape[-1]
    cut = (size + 1) // 4
    return np.partition(values, (cut, size - cut - 1))[..., cut : size - cut].mean(axis=-1)


def interval(values: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """A 95 % interval of the midmean of independent values, one a round.

    The bootstrap's percentile interval is too narrow where rounds are few, by as much as the normal distribution is
    narrower than Student's t; so it is taken at the percentiles that make up for that (the expanded percentile interval
    of Hesterberg 2015, "What teachers should know about the bootstrap", section 4.3). Below six rounds, where no
    resampled midmean reaches far enough, it is Student's interval around the mean; of one value nothing is known.

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
    """How many times the older run's ratio to its baseline the newer run's is, from the log ratios of their rounds.

    older, newer: (rounds,), of two runs that share nothing, so that each is resampled by itself. The
    percentile interval is expanded as in `interval`, here by stretching its distances from the estimate, because there
    is no one number of rounds, but Welch's degrees of freedom. None where a run has fewer than three rounds.

    >>> older, newer = np.log([0.50, 0.51, 0.49, 0.50, 0.52]), np.log([0.60, 0.61, 0.59, 0.62, 0.60])
    >>> ratio = ratio_of_ratios(older, newer, seed=0)
    >>> round(ratio.estimate, 2), ratio.low > 1.1
    (1.2, True)
    """
    if min(older.size, newer.size) < FEWEST_ROUNDS:
        return None
    generator = np.random.default_rng(seed)
    change = midmean(newer) - midmean(older)
    changes = _resampled_midmeans(newer, generator) - _resampled_midmeans(older, generator)
    freedom = _degrees_of_freedom(older, newer)
    stretch = student(freedom) / _NORMAL.inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt((freedom + 1) / freedom)
    low, high = change + stretch * (np.quantile(changes, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]) - change)
    return Ratio(estimate=math.exp(change), low=math.exp(low), high=math.exp(high))


def student(degrees: float) -> float:
    """The quantile of Student's t that a 95 % interval reaches to, for degrees of freedom from 1 on.

    Exact for one and two, else Abramowitz and Stegun (1964), 26.7.5, which is within 0.004 of the truth.

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
    """Interquartile range over the median, 0 being perfectly steady."""
    low, middle, high = np.quantile(samples, [0.25, 0.5, 0.75])
    return float((high - low) / middle)


def percentile(samples: Sequence[int], share: float) -> float | None:
    """The value below which a share of all samples is to lie; None where there are too few to say.

    Enough are as many as have two samples beyond it in 99 of 100 cases: 64 for nine tenths, 662 for 99 hundredths.

    >>> percentile(range(64), 0.9), percentile(range(63), 0.9)
    (56.7, None)
    """
    size, beyond = len(samples), 1 - share
    fewer_than_two = share**size + size * beyond * share ** (size - 1)
    return None if fewer_than_two > 0.01 else float(np.quantile(samples, share))


def outliers(samples: Sequence[int]) -> int:
    """How many samples lie more than three interquartile ranges above the third quartile (Tukey 1977: far out).

    >>> outliers([10, 11, 12, 11, 10, 90])
    1
    """
    low, high = np.quantile(samples, [0.25, 0.75])
    return int(np.count_nonzero(np.asarray(samples) > high + 3 * (high - low)))


def drift(turns: Turns) -> float | None:
    """By what share a worker became slower from its first round to its last; None where there is no telling trend.

    The trend is the median of all slopes between two rounds (Theil 1950, Sen 1968), and it counts where Kendall's test
    finds it in 99 of 100 cases (Mann 1945). From five rounds on.

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
    """The midmeans of as many values drawn with replacement, `RESAMPLES` times."""
    midmeans: NDArray[np.float64] = midmean(values[generator.integers(0, values.size, size=(RESAMPLES, values.size))])
    return midmeans


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

"""Confidence intervals for a rate of events: Clopper and Pearson (1934)."""

from math import exp, lgamma, log, log1p


def upper_bound(events: int, runs: int, confidence: float = 0.95) -> float:
    """Return the upper confidence bound of a rate; for larger rates, so few events have probability < 1 - confidence.

    For no events it is 1 - (1 - confidence) ** (1 / runs), about 3 / runs at 95 % confidence.

    >>> round(upper_bound(0, 300), 4)
    0.0099
    """
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        likely = sum(_probability(k, runs, middle) for k in range(events + 1))
        low, high = (middle, high) if likely > 1 - confidence else (low, middle)
    return high


def _probability(events: int, runs: int, rate: float) -> float:
    """Return the probability of exactly this number of events.

    It is computed with logarithms, because binomial coefficients of thousands overflow a float.
    """
    ways = lgamma(runs + 1) - lgamma(events + 1) - lgamma(runs - events + 1)
    return exp(ways + events * log(rate) + (runs - events) * log1p(-rate))


def interval(events: int, runs: int) -> tuple[float, float]:
    """Return the two-sided 95 % interval of a rate.

    >>> low, high = interval(8, 400)
    >>> round(low, 4), round(high, 4)
    (0.0087, 0.039)
    >>> low, high = interval(0, 4000)
    >>> round(low, 6), round(high, 6)
    (0.0, 0.000922)
    """
    return 1 - upper_bound(runs - events, runs, 0.975), upper_bound(events, runs, 0.975)

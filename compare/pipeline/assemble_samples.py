"""From the samples of a series to fields of the report's parts."""

from typing import Any

import numpy as np

from compare.latency.series import Role, Series
from compare.latency.statistics import drift, outliers, paired_ratio, percentile, relative_spread, typical


def samples_of(series: Series, baseline: Series | None, seed: int) -> dict[str, Any]:
    """The samples of a series and what they say: fields of a `LatencyPart`; if it failed, its error."""
    fields = {
        "runtime": series.runtime,
        "again": series.role is Role.CONTROL,
        "error": series.error,
        **turns_of(series),
    }
    if not measured(series):
        return fields
    samples = [sample for turn in series.turns.values() for sample in turn]
    p90, p99 = (percentile(samples, share) for share in (0.9, 0.99))
    fields |= {
        "median_ms": typical(series.turns) / 1e6,
        "p90_ms": _milliseconds(p90),
        "p99_ms": _milliseconds(p99),
        "spread": relative_spread(samples),
        "outliers": outliers(samples),
        "drift": drift(series.turns),
    }
    if baseline is not None and series is not baseline:
        fields["ratio"] = paired_ratio(series.turns, baseline.turns, seed)
    return fields


def process_of(series: Series) -> dict[str, Any]:
    """How the process of a series started, and its memory: fields of a `LatencyPart`; none if it failed."""
    if not measured(series):
        return {}
    return {name: getattr(series, name) for name in ("load_s", "first_call_s", "peak_bytes", "settled_bytes")}


def measured(series: Series) -> bool:
    """Whether it has turns that count, and did not fail later."""
    return series.error is None and bool(series.turns)


def turns_of(series: Series) -> dict[str, Any]:
    """The fields of a `TurnsPart`."""
    loads = {number: [round(load.share, 4) for load in attempts] for number, attempts in series.loads.items()}
    return {"turns": series.turns, "disturbed": series.disturbed, "loads": loads}


def generations_of(series: Series, baseline: Series | None, seed: int) -> dict[str, Any]:
    """What a series that decoded says of prefills and of whole generations: fields of a `DecodePart`."""
    if not measured(series):
        return {}
    rates = [
        len(series.tokens) * (1 + len(steps)) / (series.prefills[number][0] + sum(steps)) * 1e9
        for number, steps in series.turns.items()
    ]
    fields = {
        "prefills": series.prefills,
        "tokens": series.tokens,
        "first_token_ms": float(np.median([sample for (sample,) in series.prefills.values()])) / 1e6,
        "tokens_per_s": float(np.median(rates)),
    }
    if baseline is None or series is baseline:
        return fields
    return fields | {
        "first_token": paired_ratio(series.prefills, baseline.prefills, seed),
        "parted": first_difference(series.tokens, baseline.tokens) if baseline.tokens else None,
    }


def first_difference(tokens: list[list[int]], others: list[list[int]]) -> int | None:
    """The first place where two generations part, over all their sequences; None where they do not.

    >>> first_difference([[5, 6, 7], [1, 2, 3]], [[5, 6, 7], [1, 9, 3]])
    1
    """
    pairs = zip(zip(*tokens, strict=True), zip(*others, strict=True), strict=True)
    return next((place for place, (mine, theirs) in enumerate(pairs) if mine != theirs), None)


def _milliseconds(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6

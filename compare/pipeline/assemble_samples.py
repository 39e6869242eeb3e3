"""Create fields of the report's rows from the samples of a series."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from compare.latency.series import Role, Series, of_role
from compare.latency.statistics import drift, outliers, paired_ratio, percentile, relative_spread, typical
from compare.results.latency import DecodeRow, LatencyRow


def rows_so_far(series: Sequence[Series], seed: int) -> list[LatencyRow]:
    """Return a row for each series that has one: a `DecodeRow` if it decodes, without the checks of its cache."""
    baseline = of_role(Role.BASELINE, series)
    return [
        DecodeRow(**samples_of(each, baseline, seed), **process_of(each), **generations_of(each, baseline, seed))
        if each.decodes
        else LatencyRow(**samples_of(each, baseline, seed), **process_of(each))
        for each in series
        if each.role.has_row
    ]


def samples_of(series: Series, baseline: Series | None, seed: int) -> dict[str, Any]:
    """Return the fields of a `LatencyRow` that are computed from samples: turns, statistics, ratio to the baseline.

    For a series that failed or has no turn that counts, only the turns and the error are returned. seed: the seed of
    the ratio's interval.
    """
    fields = {
        "runtime": series.runtime,
        "again": series.role is Role.CONTROL,
        "error": series.error,
        "too_slow": series.too_slow,
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
    """Return the fields of a `LatencyRow` for loading, first call and memory.

    They are known even if every turn was disturbed; empty if the series failed or has not loaded its graph.
    """
    if not series.alive or not (series.loaded or series.turns):
        return {}
    fields = {name: getattr(series, name) for name in ("load_s", "first_call_s", "peak_bytes", "settled_bytes")}
    on_device = series.facts.get("device bytes")
    return fields if on_device is None else {**fields, "device_bytes": int(on_device)}


def measured(series: Series) -> bool:
    """Whether a series has turns that count and did not fail."""
    return series.error is None and bool(series.turns)


def turns_of(series: Series) -> dict[str, Any]:
    """Return the fields of a `TurnRecord`."""
    loads = {number: [round(load.share, 4) for load in attempts] for number, attempts in series.loads.items()}
    return {"turns": series.turns, "disturbed": series.disturbed, "loads": loads}


def generations_of(series: Series, baseline: Series | None, seed: int) -> dict[str, Any]:
    """Return the fields of a `DecodeRow` for prefills and whole generations; empty if the series failed."""
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
    """Return the first index at which two generations differ in any sequence; None if they are equal.

    >>> first_difference([[5, 6, 7], [1, 2, 3]], [[5, 6, 7], [1, 9, 3]])
    1
    """
    pairs = zip(zip(*tokens, strict=True), zip(*others, strict=True), strict=True)
    return next((place for place, (mine, theirs) in enumerate(pairs) if mine != theirs), None)


def _milliseconds(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6

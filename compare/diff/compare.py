"""Compare two saved reports: what became worse from the older to the newer one, in verdicts and in latency.

Absolute times of two runs are never compared, because the machine's state may have changed. Instead, each runtime's
ratio to the baseline of its own report is compared, if both reports have enough rounds.
"""

from collections.abc import Iterator
from math import isfinite

from compare.diff.comparability import check_comparable, circumstances
from compare.diff.schema import (
    ChangeWord,
    Difference,
    JudgedWord,
    LatencyChange,
    Regression,
    RuntimeChange,
    Side,
    Standing,
)
from compare.latency.statistics import log_ratios, ratio_of_ratios
from compare.report.formatting import interval
from compare.report.schema import Report
from compare.results.latency import LatencyRow, Ratio
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import rank
from export.errors import BadInput


def diff(older: Report, newer: Report, fail_over: float = 5.0) -> Difference:
    """Return what changed from the older report to the newer one.

    fail_over: the percentage by which a runtime's ratio to the baseline may rise without being a regression. Raises
    `BadInput` if it is negative or not finite, or if the two reports are not of one model on one input.
    """
    if not (isfinite(fail_over) and fail_over >= 0):
        raise BadInput(f"--fail-over is {fail_over:g}; it must be a percentage of at least 0 (default: 5)")
    check_comparable(older, newer)
    latency = list(_latency(older, newer))
    return Difference(
        subject=newer.subject,
        baseline=newer.runtimes[0].name,
        fail_over=fail_over,
        fail_on=newer.fails_from,
        older=_side(older),
        newer=_side(newer),
        runtimes=list(_runtimes(older, newer)),
        latency=latency,
        notes=circumstances(older, newer),
        regressions=[
            *_worse(older, newer),
            *_decodes_worse(older, newer),
            *_failed(older, newer),
            *_slower(latency, fail_over),
        ],
    )


def verdict_change(older: JudgedWord | None, newer: JudgedWord | None) -> ChangeWord | None:
    """Return whether a verdict became better or worse; None if one is missing or if they cannot be compared.

    "not judged" cannot be compared with other verdicts, except that a change from it to "broken" is worse.

    >>> verdict_change("rounding", "different"), verdict_change("not judged", "identical")
    ('worse', None)
    """
    if older is None or newer is None:
        return None
    if older == newer:
        return "same"
    if older == "not judged" or newer == "not judged":
        return "worse" if newer == "broken" else None
    return "worse" if rank(newer) > rank(older) else "better"


def _side(report: Report) -> Side:
    return Side(
        created=report.created,
        commit=report.environment.commit,
        rounds=report.rounds,
        baseline_ms=report.latency[0].median_ms if report.latency else None,
    )


def _both(older: Report, newer: Report) -> Iterator[tuple[RuntimeResult, RuntimeResult]]:
    """Yield the older and the newer row of each runtime that both reports have."""
    before = {runtime.name: runtime for runtime in older.runtimes}
    return ((before[runtime.name], runtime) for runtime in newer.runtimes if runtime.name in before)


def _runtimes(older: Report, newer: Report) -> Iterator[RuntimeChange]:
    before, after = ({runtime.name: runtime for runtime in report.runtimes} for report in (older, newer))
    for name in dict.fromkeys([*after, *before]):
        then, now = _standing(before.get(name)), _standing(after.get(name))
        change = verdict_change(then.verdict, now.verdict) if then and now else None
        yield RuntimeChange(name=name, older=then, newer=now, change=change)


def _standing(runtime: RuntimeResult | None) -> Standing | None:
    if runtime is None:
        return None
    verdict = runtime.verdict.kind if runtime.verdict else None
    return Standing(verdict=verdict, rounding=runtime.in_rounding, error=runtime.error)


def _latency(older: Report, newer: Report) -> Iterator[LatencyChange]:
    """Yield the change of every row of latency, except for the baselines."""
    before, after = ({(row.runtime, row.again): row for row in report.latency[1:]} for report in (older, newer))
    for key in dict.fromkeys([*after, *before]):
        then, now = before.get(key), after.get(key)
        change, missing = _ratio_change(older, newer, then, now)
        peaks = [row.peak_bytes if row else None for row in (then, now)]
        runtime, again = key
        yield LatencyChange(
            runtime=runtime,
            again=again,
            older=then.ratio if then else None,
            newer=now.ratio if now else None,
            change=change,
            memory_percent=100 * (peaks[1] / peaks[0] - 1) if peaks[0] and peaks[1] else None,
            missing=missing,
        )


def _ratio_change(
    older: Report, newer: Report, then: LatencyRow | None, now: LatencyRow | None
) -> tuple[Ratio | None, str]:
    """Return the newer ratio of a row over its older one, or None and the reason why there is none."""
    if then is None or now is None:
        return None, f"not in {'A' if then is None else 'B'}"
    for side, row in (("A", then), ("B", now)):
        if row.error:
            return None, f"failed in {side}: {row.error}"
    rounds = [log_ratios(row.turns, report.latency[0].turns) for report, row in ((older, then), (newer, now))]
    change = ratio_of_ratios(rounds[0], rounds[1], newer.seed)
    if change is None:
        return None, "too few undisturbed rounds shared with the baseline"
    return (change, "") if change.measurable else (None, "not measurable: known to no better than a factor of two")


def _worse(older: Report, newer: Report) -> Iterator[Regression]:
    """Yield the verdicts that became worse and are at or beyond the newer report's `--fail-on`."""
    for then, now in _both(older, newer):
        words = [runtime.verdict.kind if runtime.verdict else None for runtime in (then, now)]
        why = newer.beyond(now)
        if why is not None and not now.error and verdict_change(words[0], words[1]) == "worse":
            yield Regression(runtime=now.name, kind="verdict", said=f"{now.name} was {words[0]} and is {why}")
        elif why is None and now.name in newer.untrusted and now.name not in older.untrusted:
            yield Regression(runtime=now.name, kind="verdict", said=f"{now.name}: {newer.untrusted[now.name]}")


def _decodes_worse(older: Report, newer: Report) -> Iterator[Regression]:
    """Yield the caches whose verdict became worse and is at or beyond the newer report's `--fail-on`."""
    before = {row.runtime: row.verdict for row in older.decoding if not row.again}
    for row in newer.decoding:
        then, now = before.get(row.runtime), row.verdict
        why = newer.beyond(row)
        if why and then and now and not row.again and verdict_change(then.kind, now.kind) == "worse":
            said = f"{row.runtime} was {then.kind} when it decoded and is {why}"
            yield Regression(runtime=row.runtime, kind="verdict", said=said)


def _failed(older: Report, newer: Report) -> Iterator[Regression]:
    """Yield the runtimes that ran in the older report and fail in the newer one, when traced, timed or decoding."""
    failed = {now.name: now.error for then, now in _both(older, newer) if then.error is None and now.error}
    for before, after in ((older.latency, newer.latency), (older.decoding, newer.decoding)):
        timed = {row.runtime for row in before if row.turns and row.error is None}
        for row in after:
            if row.error and row.runtime in timed:
                failed.setdefault(row.runtime, row.error)
    for name, error in failed.items():
        yield Regression(runtime=name, kind="failure", said=f"{name} ran and fails now: {error}")


def _slower(latency: list[LatencyChange], fail_over: float) -> Iterator[Regression]:
    """Yield the runtimes that take more than `fail_over` percent longer, even at the low end of the interval."""
    for row in latency:
        if row.change and not row.again and row.change.low > 1 + fail_over / 100:
            said = (
                f"{row.runtime} takes {interval(row.change)} times as long as before, more than {fail_over:g} % longer"
            )
            yield Regression(runtime=row.runtime, kind="latency", said=said)

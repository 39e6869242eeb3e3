"""Interference: each runtime's time while the other processes are not suspended."""

from math import log

from compare.report.formatting import Table, give_or_take, interval, number, worker_name
from compare.report.schema import Report
from compare.report.sections.section import Section
from compare.results.latency import InterferenceRow

_NOTES = (
    "alone: all other processes are suspended. awake: none is, and each is idle between its turns. Ratios are paired "
    "by pair of rounds."
)


def tables(report: Report) -> list[Table]:
    """Show each runtime's time alone and with the other processes awake."""
    if not report.interference:
        return []
    rows = [
        [
            worker_name(part.runtime, again=part.again),
            "failed" if part.error else number(part.alone_ms),
            number(part.beside_ms),
            *map(interval, (part.slowdown, part.ratio_alone, part.ratio_beside)),
        ]
        for part in report.interference
    ]
    baseline = report.interference[0].runtime
    columns = ["runtime", "ms alone", "ms awake", "awake / alone [95 %]"]
    columns += [f"to {baseline}, alone [95 %]", "awake [95 %]"]
    pairs = max(len(part.alone.turns) for part in report.interference)
    return [Table(f"Timed alone and with the other processes awake: {pairs} pairs of rounds", columns, rows, _NOTES)]


def sentences(report: Report) -> list[str]:
    """Say which runtime's time changes most with the other processes awake, and which runtimes failed."""
    if not report.interference:
        return []
    parts = [part for part in report.interference if not part.again]
    failed = [f"{part.runtime} failed with the other processes awake: {part.error}." for part in parts if part.error]
    changed = [
        part
        for part in parts
        if part.slowdown and part.slowdown.measurable and not part.slowdown.low <= 1 <= part.slowdown.high
    ]
    if not changed:
        return [f"With the other processes awake, no runtime's time changes measurably ({_known(parts)}).", *failed]
    most = max(changed, key=_change)
    line = f"With the other processes awake, {most.runtime} takes {interval(most.slowdown)} times as long as alone"
    if most.ratio_alone and most.ratio_beside:
        baseline = report.interference[0].runtime
        line += f": {interval(most.ratio_beside)} of {baseline}'s time instead of {interval(most.ratio_alone)}"
    return [f"{line}.", *failed]


def _change(part: InterferenceRow) -> float:
    return abs(log(part.slowdown.estimate)) if part.slowdown else 0.0


def _known(parts: list[InterferenceRow]) -> str:
    """Say how precisely the ratio with the widest interval is known."""
    known = [part.slowdown for part in parts if part.slowdown]
    if not all(slowdown.measurable for slowdown in known):
        return "not all are measurable"
    widest = max(known, key=lambda ratio: ratio.half_width, default=None)
    return f"known to {give_or_take(widest)} at worst" if widest else "there are no times"


SECTION = Section("interference", tables, sentences)

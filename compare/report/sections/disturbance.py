"""Disturbed turns: how much of the CPU other processes used while runtimes were timed."""

from compare.report.formatting import number
from compare.report.measurability import lowest_quartile_ms, others, slowed
from compare.report.schema import Report
from compare.report.sections.section import Section
from compare.results.latency import Disturbance


def sentences(report: Report) -> list[str]:
    """Say how many turns were disturbed and by what, and which runtimes' medians are far above their best calls."""
    if report.disturbance is None:
        return []
    slow = [row for row in report.latency if not row.again and row.error is None and row.turns and slowed(row)]
    return [
        _turns(report.disturbance),
        *(
            f"{row.runtime}'s median, {number(row.median_ms)} ms, is far above its first call "
            f"({number(1e3 * (row.first_call_s or 0.0))} ms) and its fastest quarter "
            f"({number(lowest_quartile_ms(row))} ms): something slowed most of its calls."
            for row in slow
        ),
    ]


def _turns(part: Disturbance) -> str:
    if part.disturbed:
        line = (
            f"{part.disturbed:,} of {part.attempts:,} turns were disturbed and do not count: while turns ran, "
            f"{others(part)}."
        )
    else:
        counted = " (--max-load 100 counts every turn)" if part.max_load >= 1 else ""
        line = f"None of the {part.attempts:,} turns was disturbed{counted}: while they ran, {others(part)}."
    return line if part.sees == "every process" else f"{line} Visible from here: {part.sees}."


SECTION = Section("disturbance", sentences=sentences)

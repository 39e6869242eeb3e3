"""Helpers for tests of reports: the text of the shared report, its terminal output, quiet times, and verdicts."""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from compare.report.schema import Report
    from compare.results.verdicts import Verdict

#: The text of the comparison in the fixture `report`.
COMPARED_TEXT = "To be, or not to be."


def shown(report: "Report", width: int = 140) -> str:
    """Return the full report as printed on a terminal."""
    from compare.report.render.full import print_report

    return _printed(print_report, report, width)


def screen_of(report: "Report", width: int = 80) -> str:
    """Return the screen of a report as printed on a terminal."""
    from compare.report.render.terminal import print_report

    return _printed(print_report, report, width)


def _printed(print_report: "Callable[[Report, Console], None]", report: "Report", width: int) -> str:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=width)
    print_report(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def as_if_quiet(report: "Report") -> "Report":
    """Return a copy of a report with times as on a quiet machine: 1 ms a call in each of 12 rounds."""
    from compare.results.latency import Ratio

    copy = report.model_copy(deep=True)
    for rows in (copy.latency, copy.decoding):
        for row in rows:
            row.turns, row.disturbed, row.loads = {n: [10**6] for n in range(12)}, {}, {n: [0.0] for n in range(12)}
            row.median_ms, row.first_call_s = 1.0, 1e-3
            row.ratio = None if row is rows[0] else Ratio(estimate=1.0, low=0.99, high=1.01)
    assert copy.disturbance is not None
    copy.disturbance.disturbed = 0
    return copy


def verdict(kind: Any, **facts: Any) -> "Verdict":
    """Return a verdict with the given fields, and all others empty."""
    from compare.results.verdicts import Verdict

    return Verdict(kind=kind, **facts)

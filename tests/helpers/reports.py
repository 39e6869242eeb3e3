"""Helpers for tests of reports: the text of the shared report, its terminal output, and verdicts."""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compare.report.schema import Report
    from compare.results.verdicts import Verdict

#: The text of the comparison in the fixture `report`.
COMPARED_TEXT = "To be, or not to be."


def shown(report: "Report") -> str:
    """Return a report as printed on a terminal of 140 columns."""
    from rich.console import Console

    from compare.report.render.terminal import print_report

    console = Console(file=io.StringIO(), width=140)
    print_report(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def verdict(kind: Any, **facts: Any) -> "Verdict":
    """Return a verdict with the given fields, and all others empty."""
    from compare.results.verdicts import Verdict

    return Verdict(kind=kind, **facts)

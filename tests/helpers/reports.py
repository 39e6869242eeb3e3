"""What tests need of reports: how a terminal shows one, and verdicts to put into one."""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compare.report.gap_parts import VerdictPart
    from compare.report.schema import Report


def shown(report: "Report") -> str:
    """A report as it is printed on a terminal of 140 columns."""
    from rich.console import Console

    from compare.report.render.terminal import print_report

    console = Console(file=io.StringIO(), width=140)
    print_report(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def verdict(kind: Any, **facts: Any) -> "VerdictPart":
    """A verdict in which nothing is said but what is given."""
    from compare.report.gap_parts import VerdictPart

    plain = {"tensor": None, "place": "", "statistic": None, "multiple": None, "precision": None, "note": ""}
    return VerdictPart(kind=kind, weak=False, **plain | facts)

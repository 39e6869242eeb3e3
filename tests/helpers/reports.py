"""What tests need of reports: the text of the one that many of them read, how a terminal shows one, verdicts."""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compare.report.schema import Report
    from compare.results.verdicts import Verdict

#: The text of the comparison in the fixture `report`.
COMPARED_TEXT = "To be, or not to be."


def shown(report: "Report") -> str:
    """A report as it is printed on a terminal of 140 columns."""
    from rich.console import Console

    from compare.report.render.terminal import print_report

    console = Console(file=io.StringIO(), width=140)
    print_report(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def verdict(kind: Any, **facts: Any) -> "Verdict":
    """A verdict in which nothing is said but what is given."""
    from compare.results.verdicts import Verdict

    return Verdict(kind=kind, **facts)

"""What tests need of reports: the text of the comparison that many of them read, and how a terminal shows a report."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compare.report.schema import Report

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

"""A report on one screen: the table, the verdict and the advice. `compare.report.render.full` prints everything."""

from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from compare.report.formatting import Table
from compare.report.render.layout import fit
from compare.report.render.tables import stdout
from compare.report.saved import is_newest
from compare.report.schema import PAGE_FILE, Report
from compare.report.screen import screen


def print_report(report: Report, console: Console | None = None) -> None:
    """Print the screen of a report to stdout, or to the console given."""
    console = console or stdout()
    for line in lines(report, console.width):
        console.print(line, soft_wrap=bool(line.no_wrap))


def as_text(report: Report) -> str:
    """Return the screen of a report as plain text of 80 columns."""
    console = Console(width=80, color_system=None, force_terminal=False)
    with console.capture() as captured:
        print_report(report, console)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def lines(report: Report, width: int) -> list[Text]:
    """Return the screen of a report. Sentences are not wrapped yet, and lines of the table fit into the width."""
    shown = screen(report)
    joined = "  ".join(shown.header)
    found = [Text(part, style="bold") for part in ([joined] if cell_len(joined) <= width else shown.header)]
    found += [Text(f"NOTE: {warning}", style="bold yellow") for warning in shown.warnings]
    found += [Text(""), *table_lines(shown.table, width), Text("")]
    found.append(Text(" ".join(shown.verdict), style="bold"))
    found.append(Text(" ".join(shown.advice), style="bold"))
    found += [Text(sentence) for sentence in (*shown.quality, *shown.more)]
    if report.folder is not None:
        found += [Text(""), *_where(report.folder)]
    return found


def table_lines(table: Table, width: int) -> list[Text]:
    """Return the table of the screen with its notes, which are not wrapped yet."""
    fitted = fit(table, width)
    notes = f"No room for: {', '.join(fitted.left_out)}. " if fitted.left_out else ""
    notes += table.notes
    return [*fitted.lines, *([Text(""), Text(notes, style="dim")] if notes else [])]


def _where(folder: Path) -> list[Text]:
    """Say which command shows everything, and where the page or the report is. No line is broken to fit the width."""
    here = Path.cwd()
    shown = folder.resolve().relative_to(here) if folder.resolve().is_relative_to(here) else folder
    command = "Everything: python -m compare show --full"
    page = [f"Page: {shown / PAGE_FILE}"] if (folder / PAGE_FILE).is_file() else []
    said = [command, *(page or [f"Report: {shown}"])] if is_newest(folder) else [f"{command} {shown}", *page]
    return [Text(line, no_wrap=True) for line in said]

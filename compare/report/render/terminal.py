"""A report on one screen: the table, the verdict and the advice. `compare.report.render.full` prints everything."""

from contextlib import suppress
from functools import partial
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
from export.printing import printable


def print_report(report: Report, console: Console | None = None) -> None:
    """Print the screen of a report to stdout, or to the console given."""
    console = console or stdout()
    for line in lines(report, console.width, console.encoding):
        console.print(line, soft_wrap=bool(line.no_wrap))


def as_text(report: Report) -> str:
    """Return the screen of a report as plain text of 80 columns."""
    console = Console(width=80, color_system=None, force_terminal=False)
    with console.capture() as captured:
        print_report(report, console)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def lines(report: Report, width: int, encoding: str) -> list[Text]:
    """Return the screen of a report. Sentences are not wrapped yet, and lines of the table fit into the width.

    encoding: that of the console.
    """
    shown = screen(report)

    def text(words: str, style: str = "", *, no_wrap: bool = False) -> Text:
        return Text(printable(words, encoding), style=style, no_wrap=no_wrap)

    joined = "  ".join(shown.header)
    found = [text(part, "bold") for part in ([joined] if cell_len(joined) <= width else shown.header)]
    found += [text(f"NOTE: {warning}", "bold yellow") for warning in shown.warnings]
    found += [Text(""), *table_lines(shown.table, width, encoding), Text("")]
    found.append(text(" ".join(shown.verdict), "bold"))
    found.append(text(" ".join(shown.advice), "bold"))
    found += [text(sentence) for sentence in (*shown.quality, *shown.more)]
    if report.folder is not None:
        found += [Text(""), *(text(line, no_wrap=True) for line in _where(report.folder))]
    return found


def table_lines(table: Table, width: int, encoding: str) -> list[Text]:
    """Return the table of the screen with its notes, which are not wrapped yet. encoding: that of the console."""
    fitted = fit(table.mapped(partial(printable, encoding=encoding)), width)
    notes = f"No room for: {', '.join(fitted.left_out)}. " if fitted.left_out else ""
    notes += printable(table.notes, encoding)
    return [*fitted.lines, *([Text(""), Text(notes, style="dim")] if notes else [])]


def _where(folder: Path) -> list[str]:
    """Say which command shows everything, and where the page or the report is. No line is broken to fit the width."""
    shown = folder
    with suppress(ValueError, FileNotFoundError):  # it is elsewhere, or the working folder was removed
        shown = folder.resolve().relative_to(Path.cwd())
    command = "Everything: python -m compare show --full"
    page = [f"Page: {shown / PAGE_FILE}"] if (folder / PAGE_FILE).is_file() else []
    return [command, *(page or [f"Report: {shown}"])] if is_newest(folder) else [f"{command} {shown}", *page]

"""A report on the terminal: its sections, then the answer."""

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from compare.report import captions
from compare.report.advice import answer
from compare.report.formatting import Table
from compare.report.schema import Report
from compare.report.sections import explanation
from compare.report.sections.registry import SECTIONS

#: The width in characters if stdout is not a terminal or is narrower, in which tables would break.
WIDTH = 136


def print_report(report: Report, console: Console | None = None) -> None:
    """Print a report to stdout, or to the console given. Colours are used only on a terminal."""
    console = console or _console()
    console.print(Text(captions.headline(report), style="bold"))
    for note in report.notes:
        console.print(Text(f"NOTE: {note}", style="bold yellow"))
    for section in SECTIONS:
        _print_section(console, section.tables(report), section.sentences(report))
    for sentence in answer(report):
        console.print(Text(sentence, style="bold"))
    if seconds := captions.seconds(report):
        console.print(Text(seconds, style="dim"))


def print_table(table: Table) -> None:
    """Print one table to stdout."""
    _print_table(_console(), table)


def print_explanation(report: Report, runtime: str) -> None:
    """Print to stdout how a runtime's verdict was reached. Raises `BadInput` if the report has no such runtime."""
    console = _console()
    for table in explanation.tables(report, runtime):
        _print_table(console, table)
        console.print()


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal and console.width >= WIDTH else Console(width=WIDTH, highlight=False)


def _print_section(console: Console, tables: list[Table], sentences: list[str]) -> None:
    """Print tables with an empty line between them, and sentences right below the last one."""
    for place, table in enumerate(tables):
        if place:
            console.print()
        _print_table(console, table)
    for sentence in sentences:
        console.print(Text(sentence))
    if tables or sentences:
        console.print()


def _print_table(console: Console, table: Table) -> None:
    """Print a table with its title and notes, which use the console's full width even if the table is narrower."""
    console.print(Text(table.title, style="bold"))
    console.print(as_rich(table))
    if table.notes:
        console.print(Text(table.notes, style="dim"))


def as_rich(table: Table) -> RichTable:
    """Return the columns and rows of a table as rich draws them."""
    shown = RichTable(box=None, pad_edge=False)
    for place, column in enumerate(table.columns):
        shown.add_column(column, justify="left" if place == 0 else "right", overflow="fold")
    for row in table.rows:
        shown.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    return shown


def _style(cell: str) -> str:
    if cell == "NaN" or cell.startswith(("broken", "failed", "different")):
        return "bold red"
    if cell.startswith("unsteady"):
        return "bold yellow"
    return "green" if cell.startswith(("rounding", "identical")) or cell.endswith("as fast") else ""

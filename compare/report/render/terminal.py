"""A report on the terminal: the answer first, then the tables it rests on."""

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from compare.report.advice import answer
from compare.report.schema import Report
from compare.report.sections import explanation as tables
from compare.report.sections import gaps as wording
from compare.report.table import Table

#: Narrower than this the tables break; where nobody looks (a pipe, a log) there is room.
WIDTH = 136


def print_report(report: Report, console: Console | None = None) -> None:
    """Print a report to stdout, or to the console given; colours only where a terminal wants them."""
    console = console or Console(width=None if _is_wide() else WIDTH, highlight=False)
    console.print(Text(wording.headline(report), style="bold"))
    for note in report.notes:
        console.print(Text(f"NOTE: {note}", style="bold yellow"))
    console.print(wording.ruler_line(report))
    console.print()
    console.print(_table(tables.gap_table(report) if report.model else tables.pair_table(report)))
    for line in wording.verdict_lines(report):
        console.print(Text(line))
    console.print()
    layers = [tables.layer_table(report, kind) for kind in ("attention", "hidden_state") if report.model]
    for table in [*layers, *tables.further_tables(report)]:
        console.print(_table(table))
        console.print()
    for sentence in wording.further_sentences(report):
        console.print(Text(sentence))
    for sentence in answer(report):
        console.print(Text(sentence, style="bold"))
    if report.phases:
        console.print(
            Text("seconds: " + ", ".join(f"{name} {s:.1f}" for name, s in report.phases.items()), style="dim")
        )


def print_table(table: Table) -> None:
    """Print one table to stdout."""
    Console(width=None if _is_wide() else WIDTH, highlight=False).print(_table(table))


def print_explanation(report: Report, runtime: str) -> None:
    """Print to stdout how a runtime's verdict was reached. Raises `BadInput` for one that the report does not have."""
    print_table(tables.explanation(report, runtime))
    for further in (tables.padded_explanation(report, runtime), tables.other_metrics(report, runtime)):
        if further is not None:
            print_table(further)


def _is_wide() -> bool:
    console = Console()
    return console.is_terminal and console.width >= WIDTH


def _table(table: Table) -> RichTable:
    shown = RichTable(title=table.title, title_justify="left", title_style="bold", box=None, pad_edge=False)
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

"""The full report on a console: every section, then the answer."""

from rich.console import Console

from compare.report import captions
from compare.report.advice import answer
from compare.report.formatting import Table
from compare.report.render.tables import print_table, print_text, stdout
from compare.report.schema import Report
from compare.report.sections import explanation
from compare.report.sections.registry import SECTIONS


def print_report(report: Report, console: Console | None = None) -> None:
    """Print a report to stdout, or to the console given."""
    console = console or stdout()
    print_text(captions.headline(report), console, "bold")
    for note in report.notes:
        print_text(f"NOTE: {note}", console, "bold yellow")
    for section in SECTIONS:
        _print_section(console, section.tables(report), section.sentences(report))
    for sentence in answer(report):
        print_text(sentence, console, "bold")
    for line in filter(None, (captions.seconds(report), captions.command(report))):
        print_text(line, console, "dim")


def print_explanation(report: Report, runtime: str) -> None:
    """Print to stdout how a runtime's verdict was reached. Raises `BadInput` if the report has no such runtime."""
    console = stdout()
    for table in explanation.tables(report, runtime):
        print_table(table, console)
        console.print()


def _print_section(console: Console, tables: list[Table], sentences: list[str]) -> None:
    """Print tables with empty lines between them, and sentences directly below the last one."""
    for place, table in enumerate(tables):
        if place:
            console.print()
        print_table(table, console)
    for sentence in sentences:
        print_text(sentence, console)
    if tables or sentences:
        console.print()

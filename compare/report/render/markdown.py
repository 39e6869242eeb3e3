"""A report as Markdown: the screen first, then the answer in full, the sections, and every tensor of every runtime."""

from collections.abc import Iterator
from itertools import chain

from compare.report import captions
from compare.report.advice import answer
from compare.report.formatting import Table
from compare.report.schema import REPORT_FILE, Report
from compare.report.screen import screen
from compare.report.sections.registry import SECTIONS

#: Room for the line that says which tables were left out.
_ROOM = 400


def print_report(report: Report) -> None:
    """Print a report to stdout."""
    print(to_markdown(report), end="")


def to_markdown(report: Report, figures: tuple[str, ...] = (), longest: int | None = None) -> str:
    """Return a report as Markdown.

    figures: paths of images, relative to the file that it is written to. longest: the largest number of characters;
    tables that would exceed it are left out, those of single tensors first, and a line says so. None is no limit.
    """
    last = captions.software(report) + "\n"
    shown = "\n".join(_opening(report)) + "\n"
    middle = [[f"![{figure}]({figure})", ""] for figure in figures]
    tables = chain(_sections(report), middle, (list(table_lines(t)) for s in SECTIONS for t in s.details(report)))
    left_out = 0
    for lines in tables:
        text = "\n".join(lines) + "\n"
        if longest is not None and len(shown) + len(text) + len(last) + _ROOM > longest:
            left_out += 1
            continue
        shown += text
    if left_out:
        shown += (
            f"Left out, so that this text has at most {longest:,} characters: {left_out} "
            f"table{'s' if left_out > 1 else ''}. `python -m compare show --markdown` shows every table, "
            f"`python -m compare show --full` those of the sections, and {REPORT_FILE} has all numbers.\n\n"
        )
    return shown + last


def _opening(report: Report) -> Iterator[str]:
    """Yield the screen, then the answer in full."""
    shown = screen(report)
    yield f"# {report.model.name if report.model else report.subject}: gaps and latency across runtimes"
    yield from ("", ", ".join(shown.header), "")
    for note in report.notes:
        yield from (f"> **NOTE:** {note}", "")
    yield from table_lines(shown.table)
    yield f"**{' '.join((*shown.verdict, *shown.advice))}**"
    yield ""
    yield from chain.from_iterable((line, "") for line in shown.quality)
    yield from ("## The answer in full", "", captions.headline(report), "")
    yield from _list(answer(report))


def _sections(report: Report) -> Iterator[list[str]]:
    """Yield the lines of each table of the sections, and those of each section's sentences."""
    for section in SECTIONS:
        for table in section.tables(report):
            yield list(table_lines(table))
        if sentences := section.sentences(report):
            yield list(_list(sentences))


def _list(sentences: list[str]) -> Iterator[str]:
    yield from (f"- {sentence}" for sentence in sentences)
    if sentences:
        yield ""


def table_lines(table: Table) -> Iterator[str]:
    """Yield the lines of a table, with its title and notes."""
    if table.title:
        yield from (f"## {table.title}", "")
    yield "| " + " | ".join(table.columns) + " |"
    yield "|" + "|".join([":---", *["---:"] * (len(table.columns) - 1)]) + "|"
    for row in table.rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""
    if table.notes:
        yield from (table.notes, "")

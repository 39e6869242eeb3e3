"""Print a report as Markdown: first the answer, then the sections, then every tensor of every runtime."""

from collections.abc import Iterator

from compare.report import captions
from compare.report.advice import answer
from compare.report.formatting import Table
from compare.report.schema import Report
from compare.report.sections.registry import SECTIONS


def print_report(report: Report) -> None:
    """Print a report to stdout."""
    print(to_markdown(report), end="")


def to_markdown(report: Report, figures: tuple[str, ...] = ()) -> str:
    """Return a report as Markdown. figures: paths of images, relative to the file that it is written to."""
    return "\n".join(_lines(report, figures)) + "\n"


def _lines(report: Report, figures: tuple[str, ...]) -> Iterator[str]:
    yield f"# {report.model.name if report.model else report.subject}: gaps and latency across runtimes"
    yield from ("", captions.headline(report), "")
    for note in report.notes:
        yield from (f"> **NOTE:** {note}", "")
    yield from _list([f"**{sentence}**" for sentence in answer(report)])
    for section in SECTIONS:
        for table in section.tables(report):
            yield from _table(table)
        yield from _list(section.sentences(report))
    for figure in figures:
        yield from (f"![{figure}]({figure})", "")
    for section in SECTIONS:
        for table in section.details(report):
            yield from _table(table)
    yield captions.software(report)


def _list(sentences: list[str]) -> Iterator[str]:
    yield from (f"- {sentence}" for sentence in sentences)
    if sentences:
        yield ""


def _table(table: Table) -> Iterator[str]:
    yield from (f"## {table.title}", "")
    yield "| " + " | ".join(table.columns) + " |"
    yield "|" + "|".join([":---", *["---:"] * (len(table.columns) - 1)]) + "|"
    for row in table.rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""
    if table.notes:
        yield from (table.notes, "")

"""A report as Markdown: everything the terminal shows, and every tensor of every runtime."""

from collections.abc import Iterator

from compare.report.advice import answer
from compare.report.schema import Report
from compare.report.sections import explanation as tables
from compare.report.sections import gaps as wording
from compare.report.table import Table


def to_markdown(report: Report, figures: tuple[str, ...] = ()) -> str:
    """The whole report; `figures` are paths of images beside it."""
    return "\n".join(_lines(report, figures)) + "\n"


def _lines(report: Report, figures: tuple[str, ...]) -> Iterator[str]:
    yield f"# {report.model.name if report.model else report.subject}: gaps and latency across runtimes"
    yield from ("", wording.headline(report), "")
    for note in report.notes:
        yield from (f"> **NOTE:** {note}", "")
    for sentence in answer(report):
        yield f"- **{sentence}**"
    yield from ("", wording.ruler_line(report), "")
    yield from _table(tables.gap_table(report) if report.model else tables.pair_table(report))
    for line in wording.verdict_lines(report):
        yield f"- {line}"
    yield ""
    for table in tables.further_tables(report):
        yield from _table(table)
    for sentence in wording.further_sentences(report):
        yield from (sentence, "")
    for figure in figures:
        yield from (f"![{figure}]({figure})", "")
    for kind in wording.KINDS if report.model else ():
        yield from _table(tables.layer_table(report, kind))
    for runtime in report.runtimes:
        if runtime.gaps and report.model:
            yield from _table(tables.tensor_table(report, runtime))
    packages = ", ".join(f"{name} {version}" for name, version in report.environment.packages.items())
    yield f"Python {report.environment.python}, {packages}; commit {report.environment.commit}; seed {report.seed}."


def _table(table: Table) -> Iterator[str]:
    yield from (f"## {table.title}", "")
    yield "| " + " | ".join(table.columns) + " |"
    yield "|" + "|".join([":---", *["---:"] * (len(table.columns) - 1)]) + "|"
    for row in table.rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""

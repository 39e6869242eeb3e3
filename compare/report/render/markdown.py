"""A report as Markdown: the screen, then folded: the answer in full, the sections, and every tensor of every runtime.

GitHub takes 65,536 characters in a comment, and 1 MiB in the summary of a job's step.
"""

import re
from collections.abc import Iterable, Iterator

from compare.report import captions
from compare.report.advice import answer
from compare.report.formatting import Table
from compare.report.schema import REPORT_FILE, Report
from compare.report.screen import screen
from compare.report.sections.registry import SECTIONS
from export.printing import print_lines, printable, printable_lines

#: The most characters of `report.md`, and of what is printed.
LONGEST = 65_000

#: Room for the line that says which tables were left out, and for what folds the others.
_ROOM = 800

#: The most characters of a command, which may contain a whole text.
_LONGEST_COMMAND = 4_000

#: Where Markdown would take text for its own: a tag or an entity of HTML, an escape, a cell's end, code, a link or its
#: definition, and an image. Other marks only change how a text looks, and this project's own texts have them.
_MARKUP = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)|\\(?=[!-/:-@[-`{-~])|\||`|\](?=[(:[])|!(?=\[)")

#: How a tag and an entity are escaped; the others get a backslash.
_ENTITIES = {"<": "&lt;", "&": "&amp;"}

#: What Markdown would take for a heading, a quotation, a line of code or a rule at the beginning of a paragraph.
_BLOCK = re.compile(r"#|>|~~~|[-+*=_](?=[-+*=_ ]|$)")


def print_report(report: Report) -> None:
    """Print a report to stdout, in at most `LONGEST` characters."""
    print_lines(to_markdown(report, longest=LONGEST))


def to_markdown(report: Report, figures: tuple[str, ...] = (), longest: int | None = None) -> str:
    """Return a report as Markdown.

    figures: paths of images, relative to the file that it is written to. longest: the largest number of characters;
    tables that would exceed it are left out, those of single tensors first, and a line says so. None is no limit.
    """
    last = _folded("Software and command", [_text(_made(report))])
    shown = _text(_opening(report)) + "".join(f"![{figure}]({figure})\n\n" for figure in figures)
    left_out = 0
    for summary, blocks in (("The answer in full", _sections(report)), ("Every tensor", _details(report))):
        kept: list[str] = []
        for block in map(_text, blocks):
            taken = len(shown) + sum(map(len, kept)) + len(last)
            if longest is None or taken + len(block) + _ROOM <= longest:
                kept.append(block)
            else:
                left_out += 1
        shown += _folded(summary, kept)
    if left_out:
        shown += (
            f"Left out, so that this text has at most {longest:,} characters: {left_out} "
            f"table{'s' if left_out > 1 else ''}. `python -m compare show --full` shows the tables of the sections, "
            f"`--explain RUNTIME` the tensors of a runtime, and {REPORT_FILE} has all numbers.\n\n"
        )
    return shown + last


def escaped(text: str) -> str:
    """Return a text in one line that Markdown and a terminal show as it is, also in a cell.

    >>> print(escaped("a</details>|b\\nc\\x07"), escaped("<0.1 x [1, 2]"), escaped("![a](b) `c`"))
    a&lt;/details>\\|b c\\x07 <0.1 x [1, 2] \\![a\\](b) \\`c\\`
    """
    return _MARKUP.sub(lambda found: _ENTITIES.get(found[0]) or f"\\{found[0]}", printable(text))


def _paragraph(text: str) -> str:
    """Return the same for a text with which a paragraph or an item of a list begins.

    >>> print(_paragraph("# a"), _paragraph("-0.5"))
    \\# a -0.5
    """
    shown = escaped(text)
    return f"\\{shown}" if _BLOCK.match(shown) else shown


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _folded(summary: str, blocks: list[str]) -> str:
    """Return blocks that a reader unfolds; empty without blocks. Markdown needs the empty lines."""
    if not blocks:
        return ""
    return f"<details>\n<summary>{summary}</summary>\n\n{''.join(blocks)}</details>\n\n"


def _opening(report: Report) -> Iterator[str]:
    """Yield the screen."""
    shown = screen(report)
    yield f"# {escaped(report.model.name if report.model else report.subject)}: gaps and latency across runtimes"
    yield from ("", _paragraph(", ".join(shown.header)), "")
    for note in report.notes:
        yield from (f"> **NOTE:** {escaped(note)}", "")
    yield from table_lines(shown.table)
    yield f"**{escaped(' '.join((*shown.verdict, *shown.advice)))}**"
    yield ""
    for line in shown.quality:
        yield from (_paragraph(line), "")


def _sections(report: Report) -> Iterator[list[str]]:
    """Yield the lines of the answer in full, of each table of the sections, and of each section's sentences."""
    yield [_paragraph(captions.headline(report)), "", *_list(answer(report))]
    for section in SECTIONS:
        for table in section.tables(report):
            yield list(table_lines(table))
        if sentences := section.sentences(report):
            yield list(_list(sentences))


def _details(report: Report) -> Iterator[list[str]]:
    """Yield the lines of each table of the sections' details."""
    for section in SECTIONS:
        for table in section.details(report):
            yield list(table_lines(table))


def _made(report: Report) -> Iterator[str]:
    """Yield the software, and the command that made the report, as a block of code that any command fits into."""
    yield from (escaped(captions.software(report)), "")
    command = report.command or ""
    if len(command) > _LONGEST_COMMAND:
        yield from (f"The command that made it has {len(command):,} characters; {REPORT_FILE} has it.", "")
    elif command:
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", command)), default=0))
        yield from ("Made by:", "", f"{fence}text", printable_lines(command), fence, "")


def _list(sentences: list[str]) -> Iterator[str]:
    yield from (f"- {_paragraph(sentence)}" for sentence in sentences)
    if sentences:
        yield ""


def table_lines(table: Table) -> Iterator[str]:
    """Yield the lines of a table, with its title and notes."""
    if table.title:
        yield from (f"## {escaped(table.title)}", "")
    yield "| " + " | ".join(map(escaped, table.columns)) + " |"
    yield "|" + "|".join([":---", *["---:"] * (len(table.columns) - 1)]) + "|"
    for row in table.rows:
        yield "| " + " | ".join(map(escaped, row)) + " |"
    yield ""
    if table.notes:
        yield from (_paragraph(table.notes), "")

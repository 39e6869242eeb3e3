"""The blocks of code in the project's Markdown files, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"

#: The comment before a block of commands that no test runs. It says why.
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")


@dataclass(frozen=True)
class Block:
    """A block of code."""

    #: The word after the opening fence; empty if there is none.
    language: str
    #: The lines between the fences.
    text: str
    #: Why no test runs it; empty if one does.
    not_run: str = ""


def blocks(page: str) -> Iterator[Block]:
    """Yield the blocks of code of a Markdown page.

    >>> list(blocks("Words.\\n\\n<!-- not run: it downloads -->\\n```sh\\npip install .\\n```\\n"))
    [Block(language='sh', text='pip install .', not_run='it downloads')]
    """
    language, lines, before, reason = None, [], "", ""
    for line in page.splitlines():
        if language is None and line.startswith("```"):
            noted = _NOT_RUN.fullmatch(before)
            language, lines, reason = line.removeprefix("```"), [], noted[1] if noted else ""
        elif line == "```" and language is not None:
            yield Block(language, "\n".join(lines), reason)
            language = None
        elif language is not None:
            lines.append(line)
        before = line


def commands(page: str) -> list[list[str]]:
    """Return the commands of a page's `sh` blocks, each as its words, without comments.

    >>> commands("```sh\\nmake test\\npython -m compare --text 'To be'  # all of it\\n```\\n")
    [['make', 'test'], ['python', '-m', 'compare', '--text', 'To be']]
    """
    lines = (
        line
        for block in blocks(page)
        if block.language == "sh" and not block.not_run
        for line in block.text.splitlines()
    )
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def pages() -> list[Path]:
    """Return the README and the pages of the documentation, but for docs/found.md, whose commands must find faults."""
    return [README, *(page for page in sorted(DOCS.glob("*.md")) if page.name != "found.md")]


def commands_in(*files: Path) -> list[list[str]]:
    """Return the commands of several pages, each once."""
    return [
        list(words) for words in dict.fromkeys(tuple(words) for file in files for words in commands(file.read_text()))
    ]

"""The parts of the documentation site that MkDocs has no setting for: figures of benchmarks, and parameters as lists.

`mkdocs.yml` names this file as a hook of MkDocs and as an extension of griffe, which reads docstrings.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from griffe import Extension, Function
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"

#: The folder of the benchmarks' figures, as pages of the checkout and as pages of the site link to it.
IN_CHECKOUT, IN_SITE = "../benchmarks/results/", "images/results/"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the figures of benchmarks, which are outside the folder of the pages."""
    for figure in sorted(RESULTS.glob("*.png")):
        files.append(File.generated(config, f"{IN_SITE}{figure.name}", abs_src_path=str(figure)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links to those figures point into the site."""
    return markdown.replace(f"]({IN_CHECKOUT}", f"]({IN_SITE}")


class ParameterLists(Extension):
    """Turns a docstring's parameters into a list, and its examples into blocks of code."""

    def on_function(self, *, func: Function, **_: Any) -> None:
        if func.docstring is not None:
            func.docstring.value = marked_up(func.docstring.value, [parameter.name for parameter in func.parameters])


def marked_up(docstring: str, parameters: Sequence[str]) -> str:
    """Return a docstring of this project as Markdown. Its parameters are written "name: text" or "name, name: text".

    >>> print(marked_up("Add.\\n\\nx, y: numbers. z: a third\\n    number.", ["x", "y", "z"]))
    Add.
    <BLANKLINE>
    - **x, y**: numbers.
    - **z**: a third number.
    """
    name = "|".join(map(re.escape, parameters))
    start = re.compile(rf"(?:^|\n|(?<=\. ))((?:{name})(?:, (?:{name}))*): ")
    paragraphs = []
    for paragraph in docstring.split("\n\n"):
        if paragraph.startswith(">>> "):
            paragraphs.append(f"```pycon\n{paragraph}\n```")
        elif parameters and start.match(paragraph):
            _, *items = start.split(paragraph)
            texts = (" ".join(text.split()) for text in items[1::2])
            paragraphs.append(
                "\n".join(f"- **{names}**: {text}" for names, text in zip(items[::2], texts, strict=True))
            )
        else:
            paragraphs.append(paragraph)
    return "\n\n".join(paragraphs)

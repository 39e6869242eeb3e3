"""The page docs/schema.md: every field of `report.json`, from the classes that declare it.

    python -m tests.helpers.schema_page

writes the page. The meaning of a field is the comment next to it in the source.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from compare.report.schema import SCHEMA, Report

PAGE = Path(__file__).parents[2] / "docs" / "schema.md"

OPENING = f"""# The report's schema

A comparison writes `report.json` into its folder, with everything that it measured and nothing that can be computed
from that. This page lists its fields, from the top down. They are declared in `compare/report/schema.py` and
`compare/results/`; `python -m tests.helpers.schema_page` makes the page.

`schema_version` is {SCHEMA}. It increases with every change that makes reports unreadable for older versions. Newer
versions read the reports of schema 8 and later. Keys of dictionaries are strings in JSON, also the numbers of rounds.
Infinite and undefined numbers are the strings `Infinity`, `-Infinity` and `NaN`. [Three queries](queries.md) read
many reports at once.
"""


def page() -> str:
    """Return the page."""
    sections = ("\n".join(section(kind)) for kind in kinds_in(Report))
    return "\n".join((OPENING, "\n\n".join(sections), ""))


def kinds_in(kind: type) -> list[type]:
    """Return a class and all classes that its fields contain, each once, in the order in which they appear.

    Bases with fields come before the classes that inherit from them.
    """
    found: dict[type, None] = {}

    def visit(kind: type) -> None:
        if kind in found:
            return
        for base in bases_of(kind):
            visit(base)
        found[kind] = None
        for name in own_fields(kind):
            for inner in declared_in(get_type_hints(kind)[name]):
                visit(inner)

    visit(kind)
    return list(found)


def bases_of(kind: type) -> list[type]:
    """Return the classes with fields that a class inherits from directly."""
    return [base for base in kind.__bases__ if is_dataclass(base) and fields(base)]


def own_fields(kind: type) -> list[str]:
    """Return the names of the fields that a class declares itself."""
    names = Report.model_fields if kind is Report else [field.name for field in fields(kind)]
    return [name for name in kind.__annotations__ if name in names]


def declared_in(hint: Any) -> Iterator[type]:
    """Yield the classes with fields in a type, such as `LatencyRow` in `list[LatencyRow]`."""
    if is_dataclass(hint) and isinstance(hint, type):
        yield hint
    for inner in get_args(hint):
        yield from declared_in(inner)


def section(kind: type) -> Iterator[str]:
    """Yield the heading, the docstring and the table of one class."""
    yield from (f"## {kind.__name__}", "")
    text = inspect.cleandoc(kind.__doc__ or "").partition(">>>")[0].strip()
    yield text
    for base in bases_of(kind):
        yield from ("", f"It also has the fields of {_link(base)}.")
    yield from ("", "| field | type | meaning |", "| --- | --- | --- |")
    hints = get_type_hints(kind)
    for name, (type_, comment) in comments_of(kind).items():
        links = [_link(inner) for inner in declared_in(hints[name])]
        meaning = "; ".join(filter(None, [comment, ", ".join(links)]))
        yield f"| `{name}` | `{_cell(type_)}` | {_cell(meaning)} |"


def comments_of(kind: type) -> dict[str, tuple[str, str]]:
    """Return field -> its type and its comment, which is at the end of its line or in the lines above it."""
    source = textwrap.dedent(inspect.getsource(kind))
    lines = source.splitlines()
    declared: dict[str, tuple[str, str]] = {}
    tree = ast.parse(source).body[0]
    assert isinstance(tree, ast.ClassDef)
    names = own_fields(kind)
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in names:
            above = node.lineno - 1
            while lines[above - 1].strip().startswith("#"):
                above -= 1
            comment = [line.strip().lstrip("#: ") for line in lines[above : node.lineno - 1]]
            comment += lines[(node.end_lineno or node.lineno) - 1].split("  # ")[1:]
            declared[node.target.id] = ast.unparse(node.annotation).strip("'"), " ".join(comment)
    return declared


def _link(kind: type) -> str:
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())

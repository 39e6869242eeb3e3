"""A table as text, whatever it is of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table as text; the first column is left-aligned, the others right."""

    title: str
    columns: list[str]
    rows: list[list[str]]

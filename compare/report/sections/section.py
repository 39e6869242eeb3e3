"""What every topic of a report offers to the renderers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compare.report.formatting import Table
from compare.report.schema import Report


def _nothing(_: Report) -> list[Any]:
    return []


@dataclass(frozen=True)
class Section:
    """One topic of a report: its tables and the sentences below them; empty lists if a report has nothing on it."""

    #: The topic, which is the name of its file.
    name: str
    #: The tables that every format shows.
    tables: Callable[[Report], list[Table]] = _nothing
    #: What the tables do not say, one sentence each.
    sentences: Callable[[Report], list[str]] = _nothing
    #: Further tables, for formats with room for every tensor.
    details: Callable[[Report], list[Table]] = _nothing

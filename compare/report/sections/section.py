"""The interface between the topics of a report and the renderers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compare.report.formatting import Table
from compare.report.schema import Report


def _nothing(_: Report) -> list[Any]:
    return []


@dataclass(frozen=True)
class Section:
    """One topic of a report: functions that return its tables and sentences, or empty lists if there are none."""

    #: The topic, which is the name of its file.
    name: str
    #: The tables that every format shows.
    tables: Callable[[Report], list[Table]] = _nothing
    #: The sentences below the tables.
    sentences: Callable[[Report], list[str]] = _nothing
    #: Further tables, for formats with room for every tensor.
    details: Callable[[Report], list[Table]] = _nothing

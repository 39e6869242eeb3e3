"""What a kind of fault is, where it can be planted, and how a function becomes one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.random import Generator
from numpy.typing import NDArray

from compare.numerics.places import SEGMENTS
from tests.faults.graph import Graph

Array = NDArray[Any]

PROJECTIONS, ATTENTION, OUTPUT, MLP, HEAD = dict.fromkeys(SEGMENTS.values())
EMBEDDING = "embedding"


#: (graph, place, strength, random generator) -> None: edits the graph.
Plant = Callable[[Graph, str, float, Generator], None]


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    segments: the segments where it can be planted. start: a strength of about one floor, from which a search can start;
    None if the kind has only one size. held_out: whether it is kept out of the choice of limits.
    """

    name: str
    plant: Plant
    segments: tuple[str, ...]
    start: float | None
    held_out: bool = False


class NotHere(Exception):
    """The fault cannot be planted in that place of the graph."""


class Faults(list[Fault]):
    """The kinds of faults of one file, in the order in which it defines them."""

    def kind(self, *segments: str, start: float | None, held_out: bool = False) -> Callable[[Plant], Plant]:
        """Add the decorated function as a kind of fault under its name."""

        def add(plant: Plant) -> Plant:
            self.append(Fault(plant.__name__.replace("_", " "), plant, segments, start, held_out))
            return plant

        return add


def segment_of(place: str) -> str:
    """Return the segment of a place.

    >>> segment_of("layer 1, attention"), segment_of("embedding")
    ('attention', 'embedding')
    """
    return place.partition(", ")[2] if place.startswith("layer ") else place

"""Faults of every kind and size for the benchmarks of verdicts, each with its verdict.

Faults are drawn evenly over the bins of sizes. Limits are chosen without the third of the kinds that is held out.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from benchmarks.progress import one_by_one
from benchmarks.setups import Stand
from compare.numerics.verdicts import judge
from compare.results.gaps import TensorEvidence
from compare.results.verdicts import Verdict, reaches
from tests.faults.bench import Bench, Planted, Size
from tests.faults.kinds import KINDS
from tests.faults.kinds.fault import Fault, NotHere, segment_of

#: The bins of fault sizes, in floors. Faults are drawn evenly over the bins, and reported by bin.
BINS = ((0.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0), (16.0, 64.0), (64.0, np.inf))


@dataclass(frozen=True)
class Trial:
    """A planted fault and its verdict. same: whether the graph's outputs are bitwise unchanged."""

    planted: Planted
    stand: str
    size: Size
    same: bool
    evidence: dict[str, TensorEvidence]
    verdict: Verdict

    @property
    def found(self) -> bool:
        return alarms(self.verdict)

    @property
    def placed(self) -> bool:
        """Whether the first tensor beyond a limit belongs to the segment of the fault."""
        return self.found and self.verdict.place == self.planted.place

    @property
    def layer_right(self) -> bool:
        return self.found and self.verdict.place.partition(",")[0] == self.planted.place.partition(",")[0]

    def as_figures(self) -> dict[str, Any]:
        return {
            "kind": self.planted.kind.name,
            "held out": self.planted.kind.held_out,
            "on": self.stand,
            "place": self.planted.place,
            "strength": self.planted.strength,
            "size": asdict(self.size),
            "same bits": self.same,
            "verdict": self.verdict.kind,
            "named": self.verdict.place if self.found else "",
            "statistic": self.verdict.statistic,
            "multiple": self.verdict.multiple,
        }


def faults(stands: list[Stand], rng: Generator, *, draws: int, kinds: list[Fault] | None = None) -> Iterator[Trial]:
    """Yield faults of every kind: `draws` for each bin if the kind has a strength, otherwise twice `draws`."""
    for kind in one_by_one("faults, kind", kinds or list(KINDS.values())):
        targets = [float(np.exp(rng.uniform(*np.log([max(low, 0.5), high])))) for low, high in BINS[:-1] * draws]
        for target in targets if kind.start is not None else [0.0] * (2 * draws):
            for _ in range(20):  # until a random model has the nodes that the fault changes
                stand = stands[rng.integers(len(stands))]
                places = [place for place in stand.bench.places if segment_of(place) in kind.segments]
                place = places[rng.integers(len(places))]
                try:
                    planted, size = dialled(stand.bench, kind, place, int(rng.integers(2**31)), target)
                except NotHere:
                    continue
                yield tried(stand, planted, size)
                break


def dialled(bench: Bench, kind: Fault, place: str, seed: int, target: float) -> tuple[Planted, Size]:
    """Adjust the strength of a fault until its size is near a target in floors. Raises `NotHere` as planting does."""
    planted = Planted(kind, place, 1.0 if kind.start is None else kind.start, seed)
    size = bench.size(planted)
    if kind.start is None:
        return planted, size
    for _ in range(4):
        if target / 1.3 <= size.floors <= target * 1.3 or np.isinf(size.floors):
            break
        factor = target / size.floors if size.floors else 10.0
        planted = Planted(kind, place, min(1.0, planted.strength * float(np.clip(factor, 1e-4, 1e4))), seed)
        size = bench.size(planted)
    return planted, size


def tried(stand: Stand, planted: Planted, size: Size) -> Trial:
    """Plant a fault into the graph that is judged, and judge it."""
    evidence, same = stand.bench.outcome(planted)
    return Trial(planted, stand.name, size, same, evidence, judge(evidence, bitwise=False))


def alarms(verdict: Verdict) -> bool:
    """Return whether a verdict calls a run faulty. A run in floors of its own precision may be in that precision."""
    return reaches(verdict.kind, "different" if verdict.own else "reduced precision")


def bin_of(size: float) -> int:
    """Return the index of the bin of a size in floors.

    >>> bin_of(1.9), bin_of(16.0), bin_of(float("inf"))
    (0, 4, 5)
    """
    return next((i for i, (_, high) in enumerate(BINS) if size < high), len(BINS) - 1)


def bin_name(index: int) -> str:
    """Return the name of a bin.

    >>> bin_name(0), bin_name(2), bin_name(5)
    ('below 2', '4 to 8', '64 and more')
    """
    low, high = BINS[index]
    return f"below {high:g}" if not low else f"{low:g} and more" if np.isinf(high) else f"{low:g} to {high:g}"

"""What each runtime would have read if it was timed with the others awake, none of them suspended.

That is how a script does it that opens all sessions and calls one after the other: what the others' threads do between
their turns, spinning as they wait for work, is in every number of it. Here it is measured next to the same alone.
"""

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from compare.latency.rounds import drawn
from compare.latency.series import Series
from compare.latency.worker_process import WorkerProcess


@dataclass(frozen=True)
class Pair:
    """Two series of a process that take a turn each under one number; none takes part once either has failed."""

    #: Measured with all others suspended.
    alone: Series
    #: Measured with all others awake.
    beside: Series

    @property
    def error(self) -> str | None:
        return self.alone.error or self.beside.error

    @property
    def alive(self) -> bool:
        return self.error is None


@dataclass
class Interference:
    """The pairs of rounds so far, over all shifts."""

    #: How many pairs of rounds there were.
    taken: int = 0
    #: The pair of series of each process.
    pairs: dict[WorkerProcess, Pair] = field(default_factory=dict)

    @property
    def series(self) -> list[Series]:
        return [each for pair in self.pairs.values() for each in (pair.alone, pair.beside)]

    def measure(self, rows: Sequence[Series], *, seconds: float, seed: int, least: int) -> None:
        """Rounds in pairs on the processes of some loaded rows, numbered on; the rows keep their own turns."""
        for row in rows:
            if row.process not in self.pairs:
                self.pairs[row.process] = Pair(row.further(), row.further())
        present = [self.pairs[row.process] for row in rows]
        self.taken = run_pairs(present, seconds=seconds, seed=seed, first=self.taken, least=least)


def run_pairs(pairs: Sequence[Pair], *, seconds: float, seed: int, first: int = 0, least: int = 1) -> int:
    """Rounds in pairs until the time is spent, at least `least` pairs; returns the next pair's number.

    Both rounds of a pair have the same order, drawn with the seed. Which of them comes first alternates, so that what
    slows the machine steadily slows neither more than the other. Afterwards, and whatever happens, all are suspended.
    """
    order = random.Random(seed)
    until = time.monotonic() + seconds
    number = first
    while number < first + least or time.monotonic() < until:
        present = drawn(pairs, order)
        if not present:
            break
        for take in (_alone, _beside) if number % 2 == 0 else (_beside, _alone):
            take(present, number, until)
        number += 1
    return number


def _alone(pairs: Sequence[Pair], number: int, until: float) -> None:
    for pair in pairs:
        pair.alone.turn(number, until)


def _beside(pairs: Sequence[Pair], number: int, until: float) -> None:
    with ExitStack() as awake:
        for pair in pairs:
            awake.enter_context(pair.beside.process.left_awake())
        for pair in pairs:
            pair.beside.turn(number, until)

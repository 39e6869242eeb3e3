"""Interference: how each runtime's time changes if the other processes are awake instead of suspended.

In a script that opens all sessions and calls one after the other, threads of the other sessions spin while they wait
for work, and slow every call. Here each runtime is timed in both ways, in pairs of rounds.
"""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from compare.latency.rounds import drawn
from compare.latency.series import Series
from compare.latency.worker_process import WorkerProcess


@dataclass(frozen=True)
class Pair:
    """Two series of one process. Each takes a turn in every pair of rounds until one of them fails."""

    #: The series with all other processes suspended.
    alone: Series
    #: The series with all other processes awake.
    beside: Series

    @property
    def error(self) -> str | None:
        return self.alone.error or self.beside.error

    @property
    def alive(self) -> bool:
        return self.error is None


@dataclass
class Interference:
    """The pairs of rounds in all shifts so far."""

    #: The number of pairs of rounds so far.
    taken: int = 0
    #: The pair of series of each process.
    pairs: dict[WorkerProcess, Pair] = field(default_factory=dict)

    @property
    def series(self) -> list[Series]:
        return [each for pair in self.pairs.values() for each in (pair.alone, pair.beside)]

    def measure(
        self,
        rows: Sequence[Series],
        *,
        seconds: float,
        seed: int,
        least: int,
        between: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Run pairs of rounds, with new series: those of the rows stay as they are.

        rows: series whose processes are loaded.
        seconds: the time limit.
        seed: seed of the order in each pair.
        least: the fewest pairs.
        between: see `run_pairs`.

        The numbers of pairs continue from earlier calls.
        """
        for row in rows:
            if row.process not in self.pairs:
                self.pairs[row.process] = Pair(row.further(), row.further())
        present = [self.pairs[row.process] for row in rows]
        self.taken = run_pairs(present, seconds=seconds, seed=seed, first=self.taken, least=least, between=between)


def run_pairs(
    pairs: Sequence[Pair],
    *,
    seconds: float,
    seed: int,
    first: int = 0,
    least: int = 1,
    between: Callable[[int], None] = lambda _: None,
) -> int:
    """Run pairs of rounds until the time is spent, and return the number of the next pair.

    seconds: how long to go on.
    seed: seed of the order in each pair.
    first: the number of the first pair.
    least: the fewest pairs, even if the time is spent.
    between: called after each round, between turns, with the number of pairs that are over, counted from 0.

    Both rounds of a pair have the same random order of processes. Which of the two comes first alternates from pair to
    pair, so that a steady drift of the machine affects both equally. On return, all processes are suspended, also after
    an exception.
    """
    order = random.Random(seed)
    until = time.monotonic() + seconds
    number = first
    while number < first + least or time.monotonic() < until:
        present = drawn(pairs, order)
        if not present:
            break
        first_take, second_take = (_alone, _all_awake) if number % 2 == 0 else (_all_awake, _alone)
        first_take(present, number, until)
        between(number)
        second_take(present, number, until)
        number += 1
        between(number)
    return number


def _alone(pairs: Sequence[Pair], number: int, until: float) -> None:
    for pair in pairs:
        pair.alone.turn(number, until)


def _all_awake(pairs: Sequence[Pair], number: int, until: float) -> None:
    with ExitStack() as awake:
        for pair in pairs:
            awake.enter_context(pair.beside.process.left_awake())
        for pair in pairs:
            pair.beside.turn(number, until)

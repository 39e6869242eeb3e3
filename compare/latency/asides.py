"""Turns that are kept apart from those of a worker's row: on other inputs, or with others awake beside it.

One that fails in them is left out of what follows them, and keeps what it showed in the rounds of its row.
"""

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from compare.child import ChildFailed
from compare.latency.rounds import FEWEST_ROUNDS, Timing, Worker, drawn, turn_line


class Aside:
    """Some turns of a loaded worker, in a `timing` of their own, which has the error of one that failed before."""

    def __init__(self, worker: Worker) -> None:
        row = worker.timing
        self.worker = worker
        self.timing = Timing(row.runtime, row.again, row.graph, error=row.error)
        self._turn = worker.usual_turn if worker.alive else ""

    @property
    def alive(self) -> bool:
        return self.timing.error is None

    def switch_inputs(self, folder: Path) -> None:
        """Let the worker take the inputs of a trace folder, and see how many calls on them make a turn."""
        if self.alive and self.worker.alive:
            self.timing.error = self.worker.switch_inputs(folder)
        if self.alive and (samples := self._samples("turn 1")):
            self._turn = turn_line(samples[0])

    def turn(self, number: int) -> None:
        """Take part in a round."""
        if self.alive and (samples := self._samples(f"stand {number}", self._turn)):
            self.timing.turns[number] = samples

    def _samples(self, *lines: str) -> list[int]:
        try:
            return self.worker.samples(*lines)
        except ChildFailed as failed:
            self.timing.error = str(failed)
            return []


class Pair:
    """What a worker takes with all others suspended, and what beside all others awake: a turn each under one number."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.alone, self.beside = Aside(worker), Aside(worker)

    @property
    def error(self) -> str | None:
        return self.alone.timing.error or self.beside.timing.error

    @property
    def alive(self) -> bool:
        return self.error is None


def run_pairs(pairs: Sequence[Pair], *, seconds: float, seed: int, first: int = 0) -> int:
    """Rounds in pairs until the time is spent, at least three pairs; returns the next pair's number.

    Both rounds of a pair have the same order, drawn with the seed. Which of them comes first alternates, so that what
    slows the machine steadily slows neither more than the other. Afterwards, and whatever happens, all are suspended.
    """
    order = random.Random(seed)
    until = time.monotonic() + seconds
    number = first
    while number < first + FEWEST_ROUNDS or time.monotonic() < until:
        present = drawn(pairs, order)
        if not present:
            break
        for take in (_alone, _beside) if number % 2 == 0 else (_beside, _alone):
            take(present, number)
        number += 1
    return number


def _alone(pairs: Sequence[Pair], number: int) -> None:
    for pair in pairs:
        pair.alone.turn(number)


def _beside(pairs: Sequence[Pair], number: int) -> None:
    with ExitStack() as awake:
        for pair in pairs:
            awake.enter_context(pair.worker.left_awake())
        for pair in pairs:
            pair.beside.turn(number)

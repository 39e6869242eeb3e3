"""Turns that are kept apart from those of a worker's row: on other inputs, or with others awake beside it.

One that fails in them is left out of what follows them, and keeps what it showed in the rounds of its row.
"""

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from math import inf
from pathlib import Path
from typing import Any

from compare.latency.worker_process import Timing, Worker, drawn, turn_line, undisturbed
from compare.processes.child import ChildFailed


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
        if self.alive and (answer := self._tell("turn 1")) is not None:
            self._turn = turn_line(answer["ns"][0])

    def turn(self, number: int, until: float = inf) -> None:
        """Take part in a round, as `compare.latency.worker_process.Worker.turn` does."""
        if not self.alive:
            return
        answer = undisturbed(
            lambda: self._tell(f"stand {number}", self._turn), self.timing, number, self.worker.max_load, until
        )
        if answer is not None:
            self.timing.turns[number] = answer["ns"]

    def _tell(self, *lines: str) -> dict[str, Any] | None:
        try:
            return self.worker.tell(*lines)
        except ChildFailed as failed:
            self.timing.error = str(failed)
            return None


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
            awake.enter_context(pair.worker.left_awake())
        for pair in pairs:
            pair.beside.turn(number, until)

"""Rounds: every runtime is timed once in each, in random order, all others suspended (docs/method.md, Latency).

A thread pool that waits for work spins, and steals the core from whoever is being timed; so the process trees of all
runtimes but one are stopped by a signal, and this process sleeps on a read until the answer comes. A turn in which
other processes used the CPU does not count and is taken again (`compare.latency.disturbance`).
"""

import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from compare.latency import disturbance
from compare.latency.disturbance import Load, load_between, snapshot
from compare.processes.child import ChildFailed, Dialogue, OutOfMemory, own_processes
from compare.runtimes.registry import Graph

#: What a worker holds: one of a model's graphs, or a limit of the machine.
Held = Literal[Graph, "limit"]

#: A turn takes about this long, so that a fast runtime gets more calls and a round is not all waking up, and no longer,
#: because what disturbs a call disturbs those after it too: many short turns know more than few long ones. Seconds.
TURN = 0.1
MOST_CALLS = 50

#: No interval is trusted enough to stop on before so many rounds: a rule that stops on the narrowest interval it has
#: seen would stop on one that is narrow by luck.
LEAST_ROUNDS = 12

#: Auxiliary workers, which no ratio of a runtime needs, run in every third round.
SELDOM = 3

#: A disturbed turn is taken again at once, this many times at most. Jobs that come and go are often gone by then.
RETAKES = 2


@dataclass
class Timing:
    """What a worker was seen to do. turns: round -> nanoseconds of each call, in order.

    again: the baseline, loaded a second time. graph: what of the model it holds, "limit" where it holds none of it.
    peak_bytes, settled_bytes: the memory of its process tree, the largest and that of the last turn's end
    (`compare.processes.tree.ProcessTree`). Of a graph "decode" turns are steps, prefills what came before them, and
    tokens those of the last generation, a list a sequence.

    disturbed: round -> nanoseconds of each attempt in which others used the CPU; they are not in `turns`. loads: round
    -> the load of every attempt, in order; that of the turn that counts, where one does, is the last.
    """

    runtime: str
    again: bool = False
    graph: Held = "deploy"
    load_s: float = 0.0
    first_call_s: float = 0.0
    peak_bytes: int = 0
    settled_bytes: int = 0
    turns: dict[int, list[int]] = field(default_factory=dict)
    prefills: dict[int, list[int]] = field(default_factory=dict)
    tokens: list[list[int]] = field(default_factory=list)
    disturbed: dict[int, list[list[int]]] = field(default_factory=dict)
    loads: dict[int, list[Load]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    error: str | None = None


class Living(Protocol):
    """What has a place in rounds for as long as it lives."""

    @property
    def alive(self) -> bool: ...


class Timed(Living, Protocol):
    """What takes turns in rounds: a worker, or turns of one that are kept apart (`compare.latency.interference`)."""

    @property
    def timing(self) -> Timing: ...

    def turn(self, number: int, until: float = inf) -> None: ...


AnyLiving = TypeVar("AnyLiving", bound=Living)


class Worker:
    """The parent's side of a latency worker; suspended except while it does what it is told, in `timeout` seconds.

    One that crashes, hangs or raises has its `timing.error` set, and is passed over from then on. Make it in the main
    thread: Linux ends a child with the thread that made it.
    """

    def __init__(
        self,
        name: str,
        job: dict[str, Any],
        *,
        threads: int,
        log: Path,
        timeout: float,
        again: bool = False,
        cpus: Collection[int] | None = None,
        max_load: float | None = None,
    ) -> None:
        """name: of its row. job: what `compare.latency.worker` is told: runtime, model, graph, inputs, rungs, out.

        cpus: those that it is bound to, None for all that this process may use. max_load: the largest load at which a
        turn counts; None is `compare.latency.disturbance.MAX_LOAD`.
        """
        self.max_load = disturbance.MAX_LOAD if max_load is None else max_load
        self.timing = Timing(name, again, job["graph"])
        job = {**job, "threads": threads}
        self._child = Dialogue("compare.latency.worker", job, threads=threads, log=log, timeout=timeout, cpus=cpus)
        self._tree = self._child.tree
        self._turn = _first_turn(job["graph"])
        self._left_awake = False
        self._own_inputs = True

    @property
    def alive(self) -> bool:
        return self.timing.error is None

    @property
    def pid(self) -> int:
        return self._child.process.pid

    @property
    def ended(self) -> bool:
        """Whether nothing runs any more."""
        return self._child.process.returncode is not None

    def import_libraries(self) -> None:
        """Import what the runtime needs, which is not timed, and go to sleep."""
        self._ask("import")

    def load(self) -> None:
        """Load the model and make the first call, one sample of each; nothing where that is done."""
        if self.timing.facts or (answer := self._ask(f"load {self.timing.graph}")) is None:
            return
        self.timing.load_s, self.timing.first_call_s = answer["load_s"], answer["first_call_s"]
        self.timing.facts = answer["facts"]
        self._read_memory()
        if self.timing.graph == "decode":
            self._ask(self._turn)  # the first steps warm up, as the first call does
        elif (answer := self._ask("turn 1")) is not None:
            self._turn = turn_line(answer["ns"][0])

    def handed_over(self, graph: Graph) -> "Worker":
        """The same process, to hold another graph from its next load on: a worker of its own, and this one is over.

        Its libraries are imported already; its memory is weighed anew. One that has failed hands its error over.
        """
        other = copy(self)
        other.timing = Timing(self.timing.runtime, self.timing.again, graph, error=self.timing.error)
        other._turn, other._own_inputs = _first_turn(graph), True
        self._tree.forget_peak()
        return other

    def turn(self, number: int, until: float = inf) -> None:
        """Take part in a round; a disturbed turn is taken again before `until`, on the clock `time.monotonic`."""
        lines = f"stand {number}", self._turn
        answer = undisturbed(lambda: self._ask(*lines), self.timing, number, self.max_load, until)
        if answer is not None:
            self.timing.turns[number] = answer["ns"]
            if "tokens" in answer:
                self.timing.prefills[number] = [answer["prefill_ns"]]
                self.timing.tokens = answer["tokens"]
        if self.alive:
            self._read_memory()

    @property
    def usual_turn(self) -> str:
        """What it is told in each of its turns."""
        return self._turn

    def tell(self, *lines: str) -> dict[str, Any]:
        """The answer to the last of some lines, such as "turn 3", which is not kept. Raises `ChildFailed`."""
        return self._tell(*lines)

    def switch_inputs(self, folder: Path) -> str | None:
        """Take the inputs of a trace folder from now on, with a call on them that is not timed; why it failed, where
        it did. Its memory is not read any more: other inputs may need more than its row's."""
        self._own_inputs = False
        return self._written(f"inputs {folder}")

    @contextmanager
    def left_awake(self) -> Iterator[None]:
        """While this is open it is not suspended between its turns, as where nobody suspends anybody."""
        self._left_awake = True
        self._tree.resume()
        try:
            yield
        finally:
            self._left_awake = False
            self._tree.suspend()

    def operators(self) -> dict[str, int]:
        """How often each operator runs in one pass, after the rounds; nothing where that cannot be told."""
        try:
            return self._tell("operators") if self.alive else {}
        except ChildFailed:
            return {}

    def rung(self, name: str) -> str | None:
        """Run the inputs of a rung, after the rounds; why it gave no logits, where it gave none."""
        return self._written(f"rung {name}")

    def follow(self, prefill: int) -> str | None:
        """Decode its own inputs after so many positions, after the rounds; why it gave no logits, if it did not."""
        return self._written(f"follow {prefill}")

    def end(self) -> None:
        """Kill the process and all that it started; the log of one that failed is kept."""
        self._child.end(keep_log=not self.alive)

    def give_up(self, why: str) -> None:
        """Take no part any more."""
        if self.alive:
            self.timing.error = why
            self._tree.kill()

    def _ask(self, *lines: str) -> dict[str, Any] | None:
        if not self.alive:
            return None
        try:
            return self._tell(*lines)
        except OutOfMemory as error:
            seen = self.timing.peak_bytes
            self.give_up(f"{error}, {seen / 1e6:,.0f} MB when last seen" if seen else str(error))
        except ChildFailed as error:
            self.give_up(str(error))
        return None

    def _written(self, what: str) -> str | None:
        try:
            error: str | None = self._tell(what)["error"]
        except ChildFailed as failed:
            error = str(failed)
        return error

    def _tell(self, *lines: str) -> dict[str, Any]:
        """The last answer of a process tree that is awake for no longer than it takes, unless it is left awake.

        Raises `ChildFailed`.
        """
        self._tree.resume()
        try:
            answer = [self._child.ask(line) for line in lines][-1]
        except ChildFailed:
            self._tree.kill()  # one that hangs would run on beside the others
            raise
        if not self._left_awake:
            self._tree.suspend()
        return answer

    def _read_memory(self) -> None:
        """While the tree is stopped: beside an answer, never within a call that is timed."""
        if not self._own_inputs:
            return
        self.timing.peak_bytes, self.timing.settled_bytes = self._tree.peak_bytes(), self._tree.settled_bytes()


def undisturbed(
    ask: Callable[[], dict[str, Any] | None], timing: Timing, number: int, max_load: float, until: float
) -> dict[str, Any] | None:
    """The answer to a turn with no more load than `max_load`; None where every attempt had more, or failed.

    ask: takes the turn; None where it failed. Disturbed attempts, and the load of all, are noted in `timing`. There is
    no further attempt where one as long as the last would end after `until`, on the clock `time.monotonic`.
    """
    for _ in range(1 + RETAKES):
        before = snapshot(own_processes())
        if (answer := ask()) is None:
            return None
        own = own_processes()
        after = snapshot(own)
        load = load_between(before, after, own)
        timing.loads.setdefault(number, []).append(load)
        if load.share <= max_load:
            return answer
        timing.disturbed.setdefault(number, []).append(answer["ns"])
        if time.monotonic() + load.seconds > until:
            break
    return None


def turn_line(nanoseconds: int) -> str:
    """What a worker is told whose call takes so long: a turn of as many as fill its time.

    >>> turn_line(10_000_000), turn_line(3_000_000_000), turn_line(1_000)
    ('turn 10', 'turn 1', 'turn 50')
    """
    return f"turn {max(1, min(MOST_CALLS, round(TURN / (nanoseconds / 1e9))))}"


def _first_turn(graph: Held) -> str:
    return "generate" if graph == "decode" else "turn 1"


def drawn(workers: Sequence[AnyLiving], order: random.Random) -> list[AnyLiving]:
    """Those that live, in the order of a round."""
    present = [worker for worker in workers if worker.alive]
    return order.sample(present, len(present))


def run_rounds(
    workers: Sequence[Timed],
    *,
    seconds: float,
    seed: int,
    first: int = 0,
    least: int = 1,
    seldom: Collection[Timed] = (),
    done: Callable[[], bool] = lambda: False,
    after_round: Callable[[int], None] = lambda _: None,
) -> int:
    """Let loaded workers take turns until they are `done` or the time is spent; returns the next round's number.

    There are at least `least` rounds whatever the time, and `LEAST_ROUNDS` before `done` is asked. Each round is in an
    order of its own, drawn with the seed; they are numbered from `first` on. Those of `seldom` come after the others,
    in the first round and in every third one after it. Once the time is spent, a round ends where it is, and those of
    `seldom` have no turn but in the first. `done` and `after_round` are called between rounds, never during one.
    """
    order = random.Random(seed)
    until = time.monotonic() + seconds
    number = first
    deciding = [worker for worker in workers if worker not in seldom]
    while number < first + least or time.monotonic() < until:
        present = drawn(deciding, order)
        if (number - first) % SELDOM == 0:
            present += drawn([worker for worker in workers if worker in seldom], order)
        if not present:
            break
        for worker in present:
            needed = number == first or (number < first + least and worker not in seldom)
            if needed or time.monotonic() < until:
                worker.turn(number, until)
        number += 1
        after_round(number)
        if number >= first + LEAST_ROUNDS and done():
            break
    return number

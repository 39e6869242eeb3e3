"""Series: what is measured on a worker process, turn by turn, on one graph and one input.

A turn in which other processes used the CPU does not count and is taken again (`compare.latency.disturbance`).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf
from pathlib import Path
from typing import Any, Literal

from compare.latency.disturbance import Load, load_between, snapshot
from compare.latency.worker_process import WorkerProcess
from compare.processes.child import ChildFailed, OutOfMemory, own_processes
from compare.runtimes.registry import Graph

#: What a worker process holds: one of a model's graphs, or a limit of the machine.
Held = Literal[Graph, "limit"]

#: A turn takes about this long, so that a fast runtime gets more calls and a round is not all waking up, and no longer,
#: because what disturbs a call disturbs those after it too: many short turns know more than few long ones. Seconds.
TURN = 0.1
MOST_CALLS = 50

#: A disturbed turn is taken again at once, this many times at most. Jobs that come and go are often gone by then.
RETAKES = 2


class Role(Enum):
    """What a series is measured for."""

    #: Every ratio is to this one's time.
    BASELINE = auto()
    #: The A/A control: the baseline in a second process.
    CONTROL = auto()
    #: A row of the comparison.
    RUNTIME = auto()
    #: A runtime's graph that computes the logits of the last position alone.
    LAST_POSITION = auto()
    #: A runtime's graph that exposes every tap: what observing costs.
    OBSERVER = auto()
    #: A limit of the machine.
    LIMIT = auto()

    @property
    def has_row(self) -> bool:
        """Whether it is a row of the comparison; the others explain rows."""
        return self in (Role.BASELINE, Role.CONTROL, Role.RUNTIME)

    @property
    def resident(self) -> bool:
        """Whether others are measured against it, so that it is in every shift."""
        return self in (Role.BASELINE, Role.CONTROL, Role.LIMIT)

    @property
    def auxiliary(self) -> bool:
        """Whether no ratio of a runtime needs it, so that it runs in every third round."""
        return self in (Role.OBSERVER, Role.LIMIT)

    @property
    def graph(self) -> Held:
        """What its process loads, unless it decodes."""
        graphs: dict[Role, Held] = {
            Role.LAST_POSITION: "deploy-last",
            Role.OBSERVER: "inspect",
            Role.LIMIT: "limit",
        }
        return graphs.get(self, "deploy")


@dataclass(eq=False)
class Series:
    """The turns of a worker process on one graph and one input.

    One that fails has its `error` set and takes no more turns; what it measured before stays. Several series may be
    measured on one process, one after the other or in alternation: the passes, a cell of the grid, decoding.
    """

    process: WorkerProcess
    role: Role
    #: What the process holds: one of a model's graphs, or a limit of the machine.
    graph: Held
    #: A trace folder whose inputs it runs on; None for those that the process was started with.
    inputs: Path | None = None
    #: Why it failed.
    error: str | None = None
    #: Seconds that loading took, one sample.
    load_s: float = 0.0
    #: Seconds that the first call took, one sample.
    first_call_s: float = 0.0
    #: The largest memory of the process tree, if the series loaded its graph.
    peak_bytes: int = 0
    #: The memory of the process tree after the last turn, if the series loaded its graph.
    settled_bytes: int = 0
    #: Round -> nanoseconds of each call, in order; in decoding of each step.
    turns: dict[int, list[int]] = field(default_factory=dict)
    #: Round -> nanoseconds of each attempt that other processes disturbed; they are not in `turns`.
    disturbed: dict[int, list[list[int]]] = field(default_factory=dict)
    #: Round -> the load of every attempt, in order; if a turn counts, its load is the last.
    loads: dict[int, list[Load]] = field(default_factory=dict)
    #: In decoding: round -> nanoseconds of the prefill.
    prefills: dict[int, list[int]] = field(default_factory=dict)
    #: In decoding: the tokens of the last generation, one list per sequence.
    tokens: list[list[int]] = field(default_factory=list)
    #: Versions and settings of the runtime; empty until the series has loaded its graph.
    facts: dict[str, str] = field(default_factory=dict)
    #: The line that makes the process take a turn.
    line: str = ""

    def __post_init__(self) -> None:
        self.line = self.line or ("generate" if self.decodes else "turn 1")

    @property
    def runtime(self) -> str:
        """The name of its row."""
        return self.process.name

    @property
    def alive(self) -> bool:
        return self.error is None

    @property
    def decodes(self) -> bool:
        """Whether its turns are generations with a cache of keys and values, not forward passes."""
        return self.graph == "decode"

    def decoding(self) -> "Series":
        """The series of the same process when it decodes; it has failed if this one has."""
        return Series(self.process, self.role, "decode", error=self.error)

    def further(self, inputs: Path | None = None) -> "Series":
        """Another series of the same process and graph, on a trace folder if one is given; failed if this one has."""
        return Series(self.process, self.role, self.graph, inputs, error=self.error, line=self.line)

    def import_libraries(self) -> None:
        """Import what the runtime needs, which is not timed."""
        self._ask("import")

    def load(self) -> None:
        """Load the graph and make the first call, one sample of each; nothing if that is done."""
        if self.facts or (answer := self._answer(lambda: self.process.load(self.graph))) is None:
            return
        self.load_s, self.first_call_s = answer["load_s"], answer["first_call_s"]
        self.facts = answer["facts"]
        self._read_memory()
        if self.decodes:
            self._ask(self.line)  # the first steps warm up, as the first call does
        else:
            self._size_turns()

    def switch_inputs(self) -> None:
        """Make the process run on the inputs of this series, and see how many calls on them make a turn."""
        assert self.inputs is not None
        if self.alive and (error := self.process.switch_inputs(self.inputs)) is not None:
            self.error = error
        self._size_turns()

    def turn(self, number: int, until: float = inf) -> None:
        """Take part in a round; a disturbed turn is taken again before `until`, on the clock `time.monotonic`."""
        if not self.alive:
            return
        answer = self._undisturbed(number, until)
        if answer is not None:
            self.turns[number] = answer["ns"]
            if "tokens" in answer:
                self.prefills[number] = [answer["prefill_ns"]]
                self.tokens = answer["tokens"]
        if self.alive and self.facts:
            self._read_memory()

    def give_up(self, why: str) -> None:
        """Take no more turns, and kill the process."""
        if self.alive:
            self.error = why
            self.process.kill()

    def _size_turns(self) -> None:
        if (answer := self._ask("turn 1")) is not None:
            self.line = turn_line(answer["ns"][0])

    def _undisturbed(self, number: int, until: float) -> dict[str, Any] | None:
        """The answer to a turn with no more load than the process may have; None if there was none such.

        Disturbed attempts, and the load of all, are kept. There is no further attempt if one as long as the last would
        end after `until`.
        """
        for _ in range(1 + RETAKES):
            before = snapshot(own_processes())
            if (answer := self._ask(f"stand {number}", self.line)) is None:
                return None
            own = own_processes()
            after = snapshot(own)
            load = load_between(before, after, own)
            self.loads.setdefault(number, []).append(load)
            if load.share <= self.process.max_load:
                return answer
            self.disturbed.setdefault(number, []).append(answer["ns"])
            if time.monotonic() + load.seconds > until:
                break
        return None

    def _ask(self, *lines: str) -> dict[str, Any] | None:
        return self._answer(lambda: self.process.ask(*lines))

    def _answer(self, ask: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        """What `ask` returns; None if the series failed, before or in this."""
        if not self.alive:
            return None
        try:
            return ask()
        except OutOfMemory as error:
            seen = self.peak_bytes
            self.error = f"{error}, {seen / 1e6:,.0f} MB when last seen" if seen else str(error)
        except ChildFailed as error:
            self.error = str(error)
        return None

    def _read_memory(self) -> None:
        if (memory := self.process.memory()) is not None:
            self.peak_bytes, self.settled_bytes = memory


def of_role(role: Role, series: Iterable[Series]) -> Series | None:
    """The first series of that role, if there is one."""
    return next((each for each in series if each.role is role), None)


def turn_line(nanoseconds: int) -> str:
    """What a process is told whose call takes so long: a turn of as many calls as fill its time.

    >>> turn_line(10_000_000), turn_line(3_000_000_000), turn_line(1_000)
    ('turn 10', 'turn 1', 'turn 50')
    """
    return f"turn {max(1, min(MOST_CALLS, round(TURN / (nanoseconds / 1e9))))}"

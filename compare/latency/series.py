"""Series: the measurements on a worker process with one graph and one input, turn by turn.

A turn in which other processes used too much of the CPU does not count and is repeated
(`compare.latency.disturbance`).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf
from pathlib import Path
from typing import Any, Literal

from compare.latency.decoding import TOKENS
from compare.latency.disturbance import Load, load_between, snapshot
from compare.latency.turns import calls_in_turn, generation_s
from compare.latency.worker_process import WorkerProcess
from compare.processes.child import ChildFailed, OutOfMemory, own_processes
from compare.runtimes.spec import Graph

#: What a worker process loads: one of a model's graphs, or a limit of the machine.
Held = Literal[Graph, "limit"]

#: The largest number of immediate repetitions of a disturbed turn. Short jobs have often ended by then.
RETAKES = 2


class Role(Enum):
    """The purpose of a series."""

    #: The baseline, whose time all times are divided by.
    BASELINE = auto()
    #: The A/A control: the baseline in a second process.
    CONTROL = auto()
    #: A row of the comparison.
    RUNTIME = auto()
    #: A runtime's graph that computes the logits of the last position alone.
    LAST_POSITION = auto()
    #: A runtime's graph that exposes every tap; it shows what the taps cost.
    OBSERVER = auto()
    #: A limit of the machine.
    LIMIT = auto()

    @property
    def has_row(self) -> bool:
        """Whether the series is a row of the comparison. The other series explain rows."""
        return self in (Role.BASELINE, Role.CONTROL, Role.RUNTIME)

    @property
    def resident(self) -> bool:
        """Whether the series takes part in every shift, because others are compared with it."""
        return self in (Role.BASELINE, Role.CONTROL, Role.LIMIT)

    @property
    def auxiliary(self) -> bool:
        """Whether the series runs only in every third round, because no ratio of a runtime needs it."""
        return self in (Role.OBSERVER, Role.LIMIT)

    @property
    def graph(self) -> Held:
        """What the worker process loads for this role, except when it decodes: a graph, or a limit of the machine."""
        graphs: dict[Role, Held] = {
            Role.LAST_POSITION: "deploy-last",
            Role.OBSERVER: "inspect",
            Role.LIMIT: "limit",
        }
        return graphs.get(self, "deploy")


@dataclass(eq=False)
class Series:
    """The turns of a worker process with one graph and one input.

    If a series fails, its `error` is set, it takes no more turns, and its earlier measurements stay. One process can
    have several series, one after the other or in alternation: forward passes, cells of the grid, decoding.
    """

    process: WorkerProcess
    role: Role
    #: What the process has loaded: one of a model's graphs, or a limit of the machine.
    graph: Held
    #: The trace folder with the inputs; None for the inputs that the process was started with.
    inputs: Path | None = None
    #: Why the series failed; None if it did not.
    error: str | None = None
    #: The time of loading, in seconds; one sample.
    load_s: float = 0.0
    #: The time of the first call, in seconds; one sample.
    first_call_s: float = 0.0
    #: The expected length of a turn, in seconds, from the calls after loading; 0 before them.
    turn_s: float = 0.0
    #: Whether its turns are too long for the rounds (`compare.latency.rounds.leave_out`).
    too_slow: bool = False
    #: The largest memory of the process tree, if the series loaded its graph.
    peak_bytes: int = 0
    #: The memory of the process tree after the last turn, if the series loaded its graph.
    settled_bytes: int = 0
    #: Round -> nanoseconds of each call, or of each step when decoding, in order.
    turns: dict[int, list[int]] = field(default_factory=dict)
    #: Round -> nanoseconds of each call, for every disturbed attempt. `turns` does not contain these.
    disturbed: dict[int, list[list[int]]] = field(default_factory=dict)
    #: Round -> the load of every attempt, in order. If a turn counts, its load is the last element.
    loads: dict[int, list[Load]] = field(default_factory=dict)
    #: If decoding: round -> nanoseconds of the prefill.
    prefills: dict[int, list[int]] = field(default_factory=dict)
    #: If decoding: the tokens of the last generation, one list per sequence.
    tokens: list[list[int]] = field(default_factory=list)
    #: Whether it has loaded its graph. A series that goes on with a graph that another one loaded has not.
    loaded: bool = False
    #: Versions and settings of the runtime, if it has loaded its graph.
    facts: dict[str, str] = field(default_factory=dict)
    #: The command that makes the worker take a turn (`compare.latency.worker`).
    line: str = ""

    def __post_init__(self) -> None:
        self.line = self.line or (f"generate {TOKENS}" if self.decodes else "turn 1")

    @property
    def runtime(self) -> str:
        """The name of the row."""
        return self.process.name

    @property
    def alive(self) -> bool:
        return self.error is None

    @property
    def decodes(self) -> bool:
        """Whether turns are generations with a cache of keys and values instead of forward passes."""
        return self.graph == "decode"

    def decoding(self) -> "Series":
        """Return a series of the same process for decoding. If this one has failed, so has the new one."""
        return Series(self.process, self.role, "decode", error=self.error)

    def further(self, inputs: Path | None = None) -> "Series":
        """Return another series of the same process and graph. If this one has failed, so has the new one.

        inputs: the trace folder with its inputs; None for those that the process was started with.
        """
        return Series(self.process, self.role, self.graph, inputs, error=self.error, line=self.line)

    def import_libraries(self) -> None:
        """Wait until the process has imported the runtime's libraries."""
        self._ask("import")

    def load(self) -> None:
        """Load the graph, make the first call, and keep the time of each. If this was done before, do nothing."""
        if self.loaded or (answer := self._answer(lambda: self.process.load(self.graph))) is None:
            return
        self.load_s, self.first_call_s = answer["load_s"], answer["first_call_s"]
        self.facts, self.loaded = answer["facts"], True
        self._read_memory()
        if self.decodes:  # the first steps warm up, as the first call does
            if (answer := self._ask("generate 3")) is not None:
                self.turn_s = generation_s(answer["prefill_ns"], answer["ns"])
        else:
            self._size_turns()

    def switch_inputs(self) -> None:
        """Make the process use the inputs of this series, and measure how many calls fill a turn."""
        assert self.inputs is not None
        if self.alive and (error := self.process.switch_inputs(self.inputs)) is not None:
            self.error = error
        self._size_turns()

    def turn(self, number: int, until: float = inf) -> None:
        """Take a turn, and repeat it if it was disturbed.

        number: the number of the round.
        until: the time after which a turn is not repeated, on the clock `time.monotonic`.
        """
        if not self.alive:
            return
        answer = self._undisturbed(number, until)
        if answer is not None:
            self.turns[number] = answer["ns"]
            if "tokens" in answer:
                self.prefills[number] = [answer["prefill_ns"]]
                self.tokens = answer["tokens"]
        if self.alive and self.loaded:
            self._read_memory()

    def give_up(self, why: str) -> None:
        """Mark the series as failed and kill its process.

        why: the reason, which becomes `error`.
        """
        if self.alive:
            self.error = why
            self.process.kill()

    def _size_turns(self) -> None:
        """Choose the number of calls in a turn, from a call; after loading, from the faster of the first two."""
        if (answer := self._ask("call")) is not None:
            call_s = min(answer["ns"][0] / 1e9, self.first_call_s or inf)
            calls = calls_in_turn(call_s)
            self.line, self.turn_s = f"turn {calls}", (1 + calls) * call_s

    def _undisturbed(self, number: int, until: float) -> dict[str, Any] | None:
        """Repeat a turn until an attempt is undisturbed, and return the worker's answer; None if no attempt counts.

        The times of disturbed attempts and the loads of all attempts are kept. There is no further attempt if it would
        end after `until`, assuming that it takes as long as the last one.
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
        """Return the result of `ask`; None if the series failed earlier or fails in this call."""
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
    """Return the first series with that role; None if there is none."""
    return next((each for each in series if each.role is role), None)

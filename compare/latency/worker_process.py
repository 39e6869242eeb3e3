"""The parent's side of a latency worker (`compare.latency.worker`): a process, suspended while others are timed."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from compare.latency import disturbance
from compare.processes.child import ChildFailed, Dialogue


class Memory(NamedTuple):
    """Memory of a process tree in bytes (`compare.processes.tree.ProcessTree`)."""

    #: The largest so far.
    peak: int
    #: That of the moment.
    settled: int


class WorkerProcess:
    """A latency worker, suspended except while it answers; an answer takes `timeout` seconds at most.

    Once it crashes, hangs or raises it is killed, and every further question raises the same `ChildFailed`. What is
    measured on it is kept in series (`compare.latency.series`). Make it in the main thread: Linux ends a child with the
    thread that made it.
    """

    def __init__(
        self,
        name: str,
        job: dict[str, Any],
        *,
        threads: int,
        log: Path,
        timeout: float,
        cpus: Collection[int] | None = None,
        max_load: float | None = None,
    ) -> None:
        """name: of its row. job: what `compare.latency.worker` is told: runtime, model, inputs, positions, rungs, out.

        cpus: those that it is bound to, None for all that this process may use. max_load: the largest load at which a
        turn counts; None is `compare.latency.disturbance.MAX_LOAD`.
        """
        self.name = name
        self.max_load = disturbance.MAX_LOAD if max_load is None else max_load
        job = {**job, "threads": threads}
        self._child = Dialogue("compare.latency.worker", job, threads=threads, log=log, timeout=timeout, cpus=cpus)
        self._tree = self._child.tree
        self._left_awake = False
        self._own_inputs = True
        self._failed = False

    @property
    def pid(self) -> int:
        return self._child.process.pid

    @property
    def ended(self) -> bool:
        """Whether the process is known to have ended."""
        return self._child.process.returncode is not None

    def ask(self, *lines: str) -> dict[str, Any]:
        """The answer to the last of some lines, such as "turn 3". Raises `ChildFailed`.

        The process tree is awake until it has answered, and longer only while it is left awake.
        """
        self._tree.resume()
        try:
            answer = [self._child.ask(line) for line in lines][-1]
        except ChildFailed:
            self.kill()  # one that hangs would run on while others are timed
            raise
        if not self._left_awake:
            self._tree.suspend()
        return answer

    def load(self, graph: str) -> dict[str, Any]:
        """Load a graph in place of the one before, and call it once; its memory is measured anew.

        Raises `ChildFailed`.
        """
        self._tree.forget_peak()
        self._own_inputs = True
        return self.ask(f"load {graph}")

    def switch_inputs(self, folder: Path) -> str | None:
        """Use the inputs of a trace folder from now on, after an untimed call on them; returns why that call failed."""
        self._own_inputs = False
        return self._written(f"inputs {folder}")

    def memory(self) -> Memory | None:
        """The memory of its tree as of the last answer; None after other inputs, which may need more than its own.

        Read it while the tree is suspended, never within a call that is timed.
        """
        return Memory(self._tree.peak_bytes(), self._tree.settled_bytes()) if self._own_inputs else None

    @contextmanager
    def left_awake(self) -> Iterator[None]:
        """Do not suspend the process between its answers while this is open."""
        self._left_awake = True
        self._tree.resume()
        try:
            yield
        finally:
            self._left_awake = False
            self._tree.suspend()

    def operators(self) -> dict[str, int]:
        """How often each operator runs in one pass; empty if that is not known. Ask after the rounds."""
        try:
            return self.ask("operators")
        except ChildFailed:
            return {}

    def rung(self, name: str) -> str | None:
        """Run the inputs of a rung and write the logits; returns why there are none. Ask after the rounds."""
        return self._written(f"rung {name}")

    def follow(self, prefill: int) -> str | None:
        """Decode its own inputs after so many positions and write the logits; returns why there are none.

        Ask after the rounds.
        """
        return self._written(f"follow {prefill}")

    def kill(self) -> None:
        """Kill the process and all that it started, because it failed or is not to be timed; its log is kept."""
        self._failed = True
        self._tree.kill()

    def end(self) -> None:
        """Kill the process and all that it started, and remove its log unless it failed."""
        self._child.end(keep_log=self._failed)

    def _written(self, line: str) -> str | None:
        try:
            error: str | None = self.ask(line)["error"]
        except ChildFailed as failed:
            error = str(failed)
        return error

"""The handle of a latency worker (`compare.latency.worker`) in the parent, which suspends the worker between turns."""

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from compare.latency import disturbance
from compare.processes.child import ChildFailed, Dialogue, Launch
from compare.processes.templates import Forked


class Memory(NamedTuple):
    """Memory of a process tree in bytes (`compare.processes.tree.ProcessTree`)."""

    #: The largest memory so far.
    peak: int
    #: The memory now.
    settled: int


class WorkerProcess:
    """A latency worker, suspended except while it answers.

    If it crashes, raises, or gives no answer within `timeout` seconds, it is killed, and every further command raises
    the same `ChildFailed`. Its measurements are kept in series (`compare.latency.series`). Create it in the main
    thread: Linux ends a child together with the thread that created it.
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
        libraries: Sequence[str] = (),
        python: str = sys.executable,
    ) -> None:
        """Start the process.

        name: the name of its row.
        job: the job of `compare.latency.worker`: runtime, arguments, model, inputs, positions, variants, out.
        threads: the number of threads that it may compute with.
        log: the file for what it prints.
        timeout: the longest time of an answer, in seconds.
        cpus: the CPUs that it is bound to, None for all that this process may use.
        max_load: the largest load at which a turn counts, None for `compare.latency.disturbance.MAX_LOAD`.
        libraries: the libraries of its runtime (`compare.runtimes.spec.Spec`).
        python: the interpreter that runs it.
        """
        self.name = name
        self.max_load = disturbance.MAX_LOAD if max_load is None else max_load
        launch = Launch(
            "compare.latency.worker",
            {**job, "threads": threads},
            threads=threads,
            log=log,
            cpus=cpus,
            libraries=libraries,
            own_memory=True,
            python=python,
        )
        self._child = Dialogue(launch, timeout=timeout)
        self._tree = self._child.tree
        if self.forked:
            self._tree.suspend()  # before it copies memory, which it does when it is first asked
        self._left_awake = False
        self._own_inputs = True
        self._failed = False

    @property
    def pid(self) -> int:
        return self._child.process.pid

    @property
    def forked(self) -> bool:
        """Whether the process was forked, so that its libraries are there. Others take seconds to import them."""
        return isinstance(self._child.process, Forked)

    @property
    def ended(self) -> bool:
        """Whether the process is known to have ended, or was killed because it failed."""
        return self._failed or self._child.process.returncode is not None

    def ask(self, *lines: str) -> dict[str, Any]:
        """Send commands, such as "turn 3", and return the answer to the last one.

        The process tree is resumed before the commands, and suspended after the answer except within `left_awake`.
        Raises `ChildFailed` if the process crashes, raises or hangs.
        """
        self._tree.resume()
        try:
            answer = [self._child.ask(line) for line in lines][-1]
        except ChildFailed:
            self.kill()  # a process that hangs would go on running while others are timed
            raise
        if not self._left_awake:
            self._tree.suspend()
        return answer

    def load(self, graph: str) -> dict[str, Any]:
        """Load a graph in place of the previous one, call it once, and reset the peak of its memory.

        Raises `ChildFailed` if the process crashes, raises or hangs.
        """
        self._tree.forget_peak()
        self._own_inputs = True
        return self.ask(f"load {graph}")

    def switch_inputs(self, folder: Path) -> str | None:
        """Use the inputs of a trace folder from now on, and make an untimed call; return its error, or None."""
        self._own_inputs = False
        return self._written(f"inputs {folder}")

    def memory(self) -> Memory | None:
        """Return the memory of the process tree at the last answer; None after a switch to other inputs.

        Other inputs may need more memory than those of the row. Call this only while the tree is suspended, not during
        a timed call.
        """
        return Memory(self._tree.peak_bytes(), self._tree.settled_bytes()) if self._own_inputs else None

    @contextmanager
    def left_awake(self) -> Iterator[None]:
        """Keep the process awake between its answers while this context is open."""
        self._left_awake = True
        self._tree.resume()
        try:
            yield
        finally:
            self._left_awake = False
            self._tree.suspend()

    def operators(self) -> dict[str, int]:
        """Return how often each operator runs in one pass; empty if that is not known. Call this after the rounds."""
        try:
            return self.ask("operators")
        except ChildFailed:
            return {}

    def rerun(self, name: str) -> str | None:
        """Rerun the runtime with other inputs and write its output; return the error, or None.

        name: the name of the rerun. Call this after the rounds.
        """
        return self._written(f"rerun {name}")

    def follow(self, prefill: int, steps: int) -> str | None:
        """Decode the given text with the cache and write the logits; return the error, or None.

        prefill: the number of positions in the first pass. steps: the largest number of steps of one position; one more
        call takes the rest. Call this after the rounds.
        """
        return self._written(f"follow {prefill} {steps}")

    def kill(self) -> None:
        """Kill the process and all that it started, and keep its log. This is for processes that failed."""
        self._failed = True
        self._tree.kill()

    def end(self) -> None:
        """Kill the process and all that it started, and remove its log unless `kill` was called before."""
        self._child.end(keep_log=self._failed)

    def _written(self, line: str) -> str | None:
        try:
            error: str | None = self.ask(line)["error"]
        except ChildFailed as failed:
            error = str(failed)
        return error

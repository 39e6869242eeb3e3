"""Child processes, which get a job as JSON and write files or answers. A failure becomes one line of text.

Every runtime runs in a process of its own, so that it shares no libraries, threads or memory with another, and a crash
or a hang does not affect the others.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from compare.processes import own_packages, templates
from compare.processes.environment import environment, pinned
from compare.processes.guardian import mark_of_child
from compare.processes.memory import INTERVAL, TIMED_INTERVAL, MemoryWatch, out_of_memory_kills
from compare.processes.tree import MARK, ProcessTree
from export.printing import printable

#: The bytes at the end of a log that are read for its last line.
_LOG_END = 2**16


class ChildFailed(Exception):
    """A child failed: it was killed by a signal, gave no answer in time, or ended with an error."""


class OutOfMemory(ChildFailed):
    """A child was killed because memory ran out, or because it took more than it may."""


@dataclass(frozen=True)
class Launch:
    """How a child is started: as `python -m module JOB`, with the packages of this project.

    job: becomes the JSON on the command line.
    threads: the number of threads for its libraries.
    log: the file for what it prints.
    cpus: the CPUs that it and its descendants may use, None for all that this process may use.
    libraries: the libraries that it imports; it is forked if a template has them (`compare.processes.templates`).
    own_memory: whether a forked child copies the memory of its template, so that it can be timed and its memory
        measured.
    python: its interpreter. A template forks only children of this process's own interpreter, so give no libraries
        with another one.
    """

    module: str
    job: Mapping[str, Any]
    _: KW_ONLY
    threads: int
    log: Path
    cpus: Collection[int] | None = None
    libraries: Sequence[str] = ()
    own_memory: bool = False
    python: str = sys.executable


class _Started:
    """A started child and its process tree.

    Create it in a thread that lives as long as the child: Linux ends a child together with the thread that created it.
    """

    def __init__(self, launch: Launch, **pipes: Any) -> None:
        self.log = launch.log
        self.log.parent.mkdir(parents=True, exist_ok=True)
        mark = mark_of_child()
        self._killed_before = out_of_memory_kills()
        environ = {**environment(launch.threads), MARK: mark}
        with self.log.open("wb") as errors:
            self.process = _process(launch, environ, {"stdout": errors, **pipes, "stderr": errors})
        self.tree = ProcessTree(self.process.pid, mark)
        _alive.add(self)

    def kill(self) -> None:
        """Kill the whole tree. A suspended process cannot react to a gentler signal."""
        self.tree.kill()
        self.process.wait()
        _alive.discard(self)

    def failure(self) -> ChildFailed:
        """Return why the child ended: memory ran out, another signal, or else the last line that it wrote."""
        code = self.process.poll()
        if code == -signal.SIGKILL and out_of_memory_kills() > self._killed_before:
            return OutOfMemory("killed by SIGKILL: out of memory")
        return ChildFailed(last_words(code, self.log))


def _process(
    launch: Launch, environ: Mapping[str, str], streams: Mapping[str, Any]
) -> "subprocess.Popen[bytes] | templates.Forked":
    """Fork a child from a template, or start it if there is none that can fork."""
    job = json.dumps(launch.job, default=str)
    template = templates.find(launch.libraries, environ, launch.cpus) if launch.libraries else None
    if template is not None and template.ready():
        with suppress(OSError):  # the template has ended, or memory is short
            return template.fork(launch.module, job, environ, own_memory=launch.own_memory, **streams)
    with pinned(launch.cpus):
        return subprocess.Popen(own_packages.command(launch.module, job, python=launch.python), env=environ, **streams)


#: The children of this process that `kill` has not ended yet.
_alive: set[_Started] = set()


def own_processes() -> set[int]:
    """Return the ids of this process, its children, and their descendants at the last suspension."""
    return {os.getpid()}.union(*(child.tree.pids() for child in list(_alive)))


def run_child(launch: Launch, *, timeout: float, memory: float | None = None) -> None:
    """Run a child to its end. Its descendants end with it, and its log is removed if it succeeds.

    timeout: the time limit, in seconds. memory: bytes that it may have, None for what is free. Raises `ChildFailed` if
    it fails, takes longer, or takes more memory.
    """
    child = _Started(launch, stdin=subprocess.DEVNULL)

    def ended(seconds: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(seconds)
        return child.process.returncode is not None

    try:
        if not _comes_true(ended, timeout, MemoryWatch(child.process.pid, memory), INTERVAL):
            raise ChildFailed(f"no answer within {timeout:.0f} s")
    finally:
        child.kill()
    if child.process.returncode != 0:
        raise child.failure()
    launch.log.unlink()


def _comes_true(poll: Callable[[float], bool], timeout: float, watch: MemoryWatch, interval: float) -> bool:
    """Wait until something is true. Return whether it was within the time limit.

    poll: waits for some seconds at most, and returns whether it is true. timeout, interval: seconds in all, and between
    two looks at the child's memory. Raises `OutOfMemory` if the child takes too much.
    """
    until = time.monotonic() + timeout
    while not poll(max(0.0, min(interval, until - time.monotonic()))):
        if time.monotonic() >= until:
            return False
        if why := watch.exceeded():
            raise OutOfMemory(why)
    return True


class Dialogue:
    """A child that answers each line with a line of JSON until it is ended.

    timeout: the longest time of an answer, in seconds. Create it in the main thread: Linux ends a child together with
    the thread that created it.
    """

    def __init__(self, launch: Launch, *, timeout: float) -> None:
        self._timeout = timeout
        self._failed: ChildFailed | None = None
        self._child = _Started(launch, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process, self.tree = self._child.process, self._child.tree
        self._watch = MemoryWatch(self.process.pid)

    def ask(self, line: str) -> dict[str, Any]:
        """Send a line and return the answer.

        Raises `ChildFailed` if the child has ended, does not answer in time, or takes all memory that was free. Every
        later call raises the same error, because the child's next output could be the late answer to this line.
        """
        if self._failed is None:
            try:
                return self._answer_to(line)
            except OutOfMemory as failed:
                self._child.kill()
                self._failed = failed
            except ChildFailed as failed:
                self._failed = failed
        raise self._failed

    def _answer_to(self, line: str) -> dict[str, Any]:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None

        def ready(seconds: float) -> bool:
            return bool(select.select([stdout], [], [], seconds)[0])

        try:
            stdin.write(f"{line}\n".encode())
            stdin.flush()
            if not _comes_true(ready, self._timeout, self._watch, TIMED_INTERVAL):
                raise ChildFailed(f"no answer to {line!r} within {self._timeout:.0f} s")
            if (answer := stdout.readline()).endswith(b"\n"):  # else the child ended, perhaps within its answer
                found: dict[str, Any] = json.loads(answer)
                return found
        except BrokenPipeError:
            pass
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        raise self._child.failure()

    def end(self, *, keep_log: bool = False) -> None:
        """Kill the process and its descendants, close its pipes, and remove its log unless `keep_log` is set."""
        self._child.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        if not keep_log:
            self._child.log.unlink(missing_ok=True)


def last_words(code: int | None, log: Path) -> str:
    """Return why a child ended: the signal that killed it, or else the last line that it wrote.

    code: its exit code, negative for a signal.
    log: the file with what it printed.
    """
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_END))
        lines = file.read().decode(errors="replace").strip().splitlines()
    return printable(lines[-1])[:500] if lines else f"ended with exit code {code} and no output"

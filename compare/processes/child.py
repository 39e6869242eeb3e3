"""Child processes: a job goes in as JSON, files come out, and whatever happens to the child is said in a line.

Every runtime runs in a process of its own, so that none sees the libraries, threads or memory of another, and one that
crashes or hangs takes nothing with it.
"""

import json
import os
import select
import signal
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from compare.processes import own_packages
from compare.processes.guardian import mark_of_child
from compare.processes.memory import out_of_memory_kills
from compare.processes.tree import MARK, ProcessTree
from export import telemetry


class ChildFailed(Exception):
    """What became of a child that did not do its job: the signal, the timeout or its own last words."""


class OutOfMemory(ChildFailed):
    """The kernel killed it because there was no memory left."""


class _Started:
    """A child that was started, and its tree. cpus: those that it may use, None for all that this process may.

    Make it in the main thread where it is to live on: Linux ends a child with the thread that made it.
    """

    def __init__(
        self,
        module: str,
        job: Mapping[str, Any],
        *,
        threads: int,
        log: Path,
        cpus: Collection[int] | None = None,
        **pipes: Any,
    ) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        mark = mark_of_child()
        self._killed_before = out_of_memory_kills()
        with log.open("wb") as errors, pinned(cpus):
            marked = {**environment(threads), MARK: mark}
            self.process = subprocess.Popen(
                own_packages.command(module, json.dumps(job, default=str)),
                stderr=errors,
                env=marked,
                **{"stdout": errors, **pipes},
            )
        self.tree = ProcessTree(self.process.pid, mark)
        _alive.add(self)

    def kill(self) -> None:
        """Kill all of it: a suspended process cannot be asked to leave."""
        self.tree.kill()
        self.process.wait()
        _alive.discard(self)

    def failure(self) -> ChildFailed:
        """Why it ended: for want of memory, by another signal, else the last line it wrote."""
        code = self.process.poll()
        if code == -signal.SIGKILL and out_of_memory_kills() > self._killed_before:
            return OutOfMemory("killed by SIGKILL: out of memory")
        return ChildFailed(last_words(code, self.log))


#: The children of this process that were not killed yet.
_alive: set[_Started] = set()


def own_processes() -> set[int]:
    """The ids of this process, of its children, and of what they were last seen to have started."""
    return {os.getpid()}.union(*(child.tree.pids() for child in list(_alive)))


#: The children of `run_child` that are at work, in whichever thread.
_at_work: set[_Started] = set()


def end_children() -> None:
    """Kill what `run_child` is waiting for: when the work has no use any more, nobody waits for its end."""
    for child in list(_at_work):
        child.tree.kill()


def run_child(module: str, job: Mapping[str, Any], *, threads: int, log: Path, timeout: float) -> None:
    """Run `python -m module JOB` to its end, with the packages of this project; `timeout` in seconds.

    What it prints goes to `log`, which is removed if all is well. What it started ends with it. Raises `ChildFailed`.
    """
    child = _Started(module, job, threads=threads, log=log, stdin=subprocess.DEVNULL)
    _at_work.add(child)
    try:
        code = child.process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"no answer within {timeout:.0f} s") from None
    finally:
        child.kill()
        _at_work.discard(child)
    if code != 0:
        raise child.failure()
    log.unlink()


class Dialogue:
    """A child that answers lines with lines of JSON until it is ended; what it prints goes to `log`.

    Make it in the main thread: Linux ends a child with the thread that made it. cpus: those that it and all that it
    starts may use, None for all that this process may.
    """

    def __init__(
        self,
        module: str,
        job: Mapping[str, Any],
        *,
        threads: int,
        log: Path,
        timeout: float,
        cpus: Collection[int] | None = None,
    ) -> None:
        self._timeout = timeout
        self._failed: ChildFailed | None = None
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._child = _Started(module, job, threads=threads, log=log, cpus=cpus, **pipes)
        self.process, self.tree = self._child.process, self._child.tree

    def ask(self, line: str) -> dict[str, Any]:
        """The answer to a line. Raises `ChildFailed` where the child is gone, or gives none within its time.

        One that failed is not asked again: what it says next may be the answer to what it was asked before.
        """
        if self._failed is None:
            try:
                return self._answer_to(line)
            except ChildFailed as failed:
                self._failed = failed
        raise self._failed

    def _answer_to(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(f"{line}\n".encode())
            self.process.stdin.flush()
            ready, _, _ = select.select([self.process.stdout], [], [], self._timeout)
            if not ready:
                raise ChildFailed(f"no answer to {line!r} within {self._timeout:.0f} s")
            if answer := self.process.stdout.readline():
                found: dict[str, Any] = json.loads(answer)
                return found
        except BrokenPipeError:
            pass
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        raise self._child.failure()

    def end(self, *, keep_log: bool = False) -> None:
        """Kill the process and all that it started."""
        self._child.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        if not keep_log:
            self._child.log.unlink(missing_ok=True)


def environment(threads: int) -> dict[str, str]:
    """The environment of every child: the same number of threads for all libraries, no telemetry, and never the hub.

    Memory is asked for in huge pages. In small ones it matters by up to 1.5 % of a pass where they happen to lie, and
    who is loaded first gets the most scattered of them: `benchmarks.aa` read 0.995 where the truth is 1.
    """
    pools = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "PYTHONUNBUFFERED": "1"}
    tunables = {"GLIBC_TUNABLES": with_huge_pages(os.environ.get("GLIBC_TUNABLES", ""))}
    return {**os.environ, **pools, **quiet, **telemetry.OFF, **tunables}


def with_huge_pages(tunables: str) -> str:
    """glibc's tunables, with memory of malloc in transparent huge pages added where they do not speak of that.

    glibc from 2.35 on heeds it where the kernel gives huge pages to who asks (proc(5), transparent_hugepage "madvise");
    every other C library and kernel passes it over.

    >>> with_huge_pages(""), with_huge_pages("glibc.malloc.hugetlb=0")
    ('glibc.malloc.hugetlb=1', 'glibc.malloc.hugetlb=0')
    >>> with_huge_pages("glibc.malloc.perturb=3")
    'glibc.malloc.perturb=3:glibc.malloc.hugetlb=1'
    """
    if "glibc.malloc.hugetlb" in tunables:
        return tunables
    return ":".join(filter(None, (tunables, "glibc.malloc.hugetlb=1")))


@contextmanager
def pinned(cpus: Collection[int] | None) -> Iterator[None]:
    """What this thread starts meanwhile may use these CPUs alone, and so may all that it starts in turn.

    So it is bound before a library of it counts the CPUs or makes a thread. None changes nothing.
    """
    if cpus is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def last_words(code: int | None, log: Path) -> str:
    """Why a child ended: the signal that killed it, else the last line it wrote."""
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:500] if lines else f"ended with exit code {code} and not a word"

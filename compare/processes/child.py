"""Child processes, which get a job as JSON and write files or answers. A failure becomes one line of text.

Every runtime runs in a process of its own, so that it shares no libraries, threads or memory with another, and a crash
or a hang does not affect the others.
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
    """A child failed: it was killed by a signal, gave no answer in time, or ended with an error."""


class OutOfMemory(ChildFailed):
    """The kernel killed a child because memory ran out."""


class _Started:
    """A started child and its process tree.

    cpus: the CPUs that it may use, None for all that this process may use.

    Create it in a thread that lives as long as the child: Linux ends a child together with the thread that created it.
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


#: The children of this process that `kill` has not ended yet.
_alive: set[_Started] = set()


def own_processes() -> set[int]:
    """Return the ids of this process, its children, and their descendants at the last suspension."""
    return {os.getpid()}.union(*(child.tree.pids() for child in list(_alive)))


#: The children that `run_child` is waiting for, in all threads.
_at_work: set[_Started] = set()


def end_children() -> None:
    """Kill all children that `run_child` is waiting for, because their results are no longer needed."""
    for child in list(_at_work):
        child.tree.kill()


def run_child(module: str, job: Mapping[str, Any], *, threads: int, log: Path, timeout: float) -> None:
    """Run `python -m module JOB` to its end, with the packages of this project.

    job: becomes the JSON on the command line.
    threads: the number of threads for its libraries.
    log: the file for what it prints; removed if the child succeeds.
    timeout: the time limit, in seconds.

    Its descendants end with it. Raises `ChildFailed` if it fails or takes longer.
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
    """A child that answers each line with a line of JSON until it is ended.

    module, job: run as `python -m module JOB`, with the job as JSON.
    threads: the number of threads for its libraries.
    log: the file for what it prints.
    timeout: the longest time of an answer, in seconds.
    cpus: the CPUs that it and its descendants may use, None for all that this process may use.

    Create it in the main thread: Linux ends a child together with the thread that created it.
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
        """Send a line and return the answer.

        Raises `ChildFailed` if the child has ended or does not answer in time. Every later call raises the same error,
        because the child's next output could be the late answer to this line.
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
        """Kill the process and its descendants, close its pipes, and remove its log unless `keep_log` is set."""
        self._child.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        if not keep_log:
            self._child.log.unlink(missing_ok=True)


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a child: the same number of threads for all libraries, no telemetry, no hub.

    malloc uses huge pages. With small pages, their place in memory changes the time of a pass by up to 1.5 %, and the
    process that is loaded first gets the most scattered ones: `benchmarks.aa` measured 0.995 instead of 1.
    """
    pools = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "PYTHONUNBUFFERED": "1"}
    tunables = {"GLIBC_TUNABLES": with_huge_pages(os.environ.get("GLIBC_TUNABLES", ""))}
    return {**os.environ, **pools, **quiet, **telemetry.OFF, **tunables}


def with_huge_pages(tunables: str) -> str:
    """Add transparent huge pages for malloc to glibc's tunables, unless these already set them.

    tunables: the value of GLIBC_TUNABLES.

    It takes effect with glibc 2.35 and later if the kernel gives huge pages on request (proc(5), transparent_hugepage
    "madvise"). Other C libraries and kernels ignore it.

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
    """Bind processes that this thread starts while the context is open, and their descendants, to these CPUs.

    cpus: the CPUs; None changes nothing.

    A process started in this way is bound before any of its libraries counts the CPUs or creates a thread.
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
    """Return why a child ended: the signal that killed it, or else the last line that it wrote.

    code: its exit code, negative for a signal.
    log: the file with what it printed.
    """
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:500] if lines else f"ended with exit code {code} and no output"

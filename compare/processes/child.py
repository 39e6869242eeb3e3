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
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from compare.processes import own_packages, templates
from compare.processes.environment import environment, pinned
from compare.processes.guardian import mark_of_child
from compare.processes.memory import out_of_memory_kills
from compare.processes.tree import MARK, ProcessTree


class ChildFailed(Exception):
    """A child failed: it was killed by a signal, gave no answer in time, or ended with an error."""


class OutOfMemory(ChildFailed):
    """The kernel killed a child because memory ran out."""


class _Started:
    """A started child and its process tree.

    cpus: the CPUs that it may use, None for all that this process may use.
    libraries: the libraries that it imports; it is forked if a template has them (`compare.processes.templates`).
    own_memory: whether a forked child copies the memory of its template, so that it can be timed and its memory
        measured.
    python: its interpreter. A template forks only children of this process's own interpreter, so give no libraries
        with another one.

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
        libraries: Sequence[str] = (),
        own_memory: bool = False,
        python: str = sys.executable,
        **pipes: Any,
    ) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        mark = mark_of_child()
        self._killed_before = out_of_memory_kills()
        environ = {**environment(threads), MARK: mark}
        with log.open("wb") as errors:
            streams = {"stdout": errors, **pipes, "stderr": errors}
            arguments = json.dumps(job, default=str)
            self.process = _process(
                module, arguments, environ, cpus, libraries, streams, own_memory=own_memory, python=python
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


def _process(
    module: str,
    job: str,
    environ: Mapping[str, str],
    cpus: Collection[int] | None,
    libraries: Sequence[str],
    streams: Mapping[str, Any],
    *,
    own_memory: bool,
    python: str,
) -> "subprocess.Popen[bytes] | templates.Forked":
    """Fork a child from a template, or start it if there is none that can fork."""
    template = templates.find(libraries, environ, cpus) if libraries else None
    if template is not None and template.ready():
        with suppress(OSError):  # the template has ended, or memory is short
            return template.fork(module, job, environ, own_memory=own_memory, **streams)
    with pinned(cpus):
        return subprocess.Popen(own_packages.command(module, job, python=python), env=environ, **streams)


#: The children of this process that `kill` has not ended yet.
_alive: set[_Started] = set()


def own_processes() -> set[int]:
    """Return the ids of this process, its children, and their descendants at the last suspension."""
    return {os.getpid()}.union(*(child.tree.pids() for child in list(_alive)))


def run_child(
    module: str,
    job: Mapping[str, Any],
    *,
    threads: int,
    log: Path,
    timeout: float,
    libraries: Sequence[str] = (),
    python: str = sys.executable,
) -> None:
    """Run `python -m module JOB` to its end, with the packages of this project.

    job: becomes the JSON on the command line.
    threads: the number of threads for its libraries.
    log: the file for what it prints; removed if the child succeeds.
    timeout: the time limit, in seconds.
    libraries: the libraries that it imports; it is forked if a template has them (`compare.processes.templates`).
    python: its interpreter; give no libraries with another one than this process's.

    Its descendants end with it. Raises `ChildFailed` if it fails or takes longer.
    """
    stdin = subprocess.DEVNULL
    child = _Started(module, job, threads=threads, log=log, libraries=libraries, python=python, stdin=stdin)
    try:
        code = child.process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"no answer within {timeout:.0f} s") from None
    finally:
        child.kill()
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
    libraries: the libraries that it imports; it is forked if a template has them (`compare.processes.templates`).
    own_memory: whether a forked child copies the memory of its template, so that it can be timed and its memory
        measured.
    python: its interpreter; give no libraries with another one than this process's.

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
        libraries: Sequence[str] = (),
        own_memory: bool = False,
        python: str = sys.executable,
    ) -> None:
        self._timeout = timeout
        self._failed: ChildFailed | None = None
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._child = _Started(
            module,
            job,
            threads=threads,
            log=log,
            cpus=cpus,
            libraries=libraries,
            own_memory=own_memory,
            python=python,
            **pipes,
        )
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


def last_words(code: int | None, log: Path) -> str:
    """Return why a child ended: the signal that killed it, or else the last line that it wrote.

    code: its exit code, negative for a signal.
    log: the file with what it printed.
    """
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:500] if lines else f"ended with exit code {code} and no output"

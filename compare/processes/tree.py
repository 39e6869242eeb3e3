"""Process trees: everything that a child has started, to be stopped, weighed and ended together.

A runtime may be more than one process, a browser for one. Two things tell which belong to it: who started whom, and a
mark in the environment, which is inherited also by those that leave the session, or whose parent has ended.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

#: The environment variable that holds the mark. Marks are paths: a child of a child carries both ("RUN/1/RUN/1").
MARK = "ONNX_ATTENTION_COMPARE_RUN"

#: For so long the processes that are killed are waited for, in seconds: what hangs in the kernel cannot be.
PATIENCE = 10.0


class ProcessTree:
    """A process, named by its id, and all that it started; `mark` is what it carries in its environment.

    Memory is read of the processes that the last `suspend` found, so that nothing comes and goes meanwhile.
    """

    def __init__(self, pid: int, mark: str) -> None:
        self._mark = mark
        self._root = psutil.Process(pid)
        self._members = [self._root]
        self._peak = 0

    def suspend(self) -> None:
        """Stop all of it: the root at once, and whom we know; then those below, until there is nobody new."""
        stopped: list[psutil.Process] = []
        new = list(dict.fromkeys([self._root, *self._members]))
        while new:
            for process in new:
                with suppress(psutil.Error):  # it has ended meanwhile
                    process.suspend()
            stopped += new
            found = self._living()
            new = [process for process in found if process not in stopped]
        self._members = found

    def resume(self) -> None:
        """Let go on what was stopped."""
        for process in self._members:
            with suppress(psutil.Error):
                process.resume()

    def kill(self) -> None:
        """Kill all of it; when this returns nobody of it runs any more. The root is still to be waited for."""
        self.suspend()
        for process in self._members:
            with suppress(psutil.Error):
                process.kill()
        kill_marked(self._mark)

    def pids(self) -> set[int]:
        """The ids of its processes, as the last `suspend` found them."""
        return {process.pid for process in self._members}

    def peak_bytes(self) -> int:
        """The largest memory of the tree so far: the sum of each living process's largest resident memory, in bytes.

        The largest sum that was seen stays, so one that has ended meanwhile is not forgotten. Linux: VmHWM of proc(5),
        in KiB, and not getrusage, whose maximum a child inherits from the parent that started it. Windows: the peak of
        the working set. Elsewhere the resident memory as it is now.
        """
        self._peak = max(self._peak, sum(map(_peak_of, self._members)))
        return self._peak

    def forget_peak(self) -> None:
        """Let the largest memory begin anew; that of each process is for itself to forget."""
        self._peak = 0

    def settled_bytes(self) -> int:
        """The memory of the tree as it is now, in bytes: the resident memory of one process alone.

        Of several, what each has for itself, and the most that any of them shares: what they share with one another
        counts once. The proportional set size (proc(5)) would share out a library among all that have it open, other
        runtimes too. Where pages may not be looked at, it is the resident memory.
        """
        if len(self._members) == 1:
            return _resident(self._members[0])
        parts = [_own_and_shared(process) for process in self._members]
        return sum(own for own, _ in parts) + max((shared for _, shared in parts), default=0)

    def _living(self) -> list[psutil.Process]:
        """The root, all below it, and those of before whose parent has ended since; a parent before its children."""
        below: list[psutil.Process] = []
        with suppress(psutil.Error):
            below = self._root.children(recursive=True)
        known = list(dict.fromkeys([self._root, *below, *self._members]))
        return [process for process in known if process.is_running()]


def marked(mark: str) -> list[psutil.Process]:
    """Who carries the mark, or one that begins with it, and all below them, whose own may be hidden; never ourselves.

    The way of Jenkins' ProcessTreeKiller.
    """
    found: dict[psutil.Process, None] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it has ended, or is somebody else's
            if is_under(process.environ().get(MARK, ""), mark):
                found |= dict.fromkeys([process, *process.children(recursive=True)])
    return [process for process in found if process.pid != os.getpid()]


def is_under(mark: str, other: str) -> bool:
    """Whether a mark is another, or was made by a process that carries it.

    >>> is_under("a/1", "a/1"), is_under("a/1/b/1", "a"), is_under("a/12", "a/1"), is_under("", "a")
    (True, True, False, False)
    """
    return f"{mark}/".startswith(f"{other}/")


def kill_marked(mark: str) -> None:
    """Kill who carries the mark, until nobody is left who does."""
    until = time.monotonic() + PATIENCE
    while (left := marked(mark)) and time.monotonic() < until:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        time.sleep(0.01)


def _peak_of(process: psutil.Process) -> int:
    try:
        status = Path(f"/proc/{process.pid}/status")
        if status.is_file():
            lines = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
            return int(lines[0].split()[1]) * 1024 if lines else 0  # one that has just ended has none
        memory = process.memory_info()
        return int(getattr(memory, "peak_wset", memory.rss))
    except (psutil.Error, OSError):
        return 0


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _own_and_shared(process: psutil.Process) -> tuple[int, int]:
    try:
        memory = process.memory_full_info()
        return int(memory.uss), int(memory.rss - memory.uss)
    except (psutil.Error, AttributeError):  # some systems tell of no unique set size
        return _resident(process), 0

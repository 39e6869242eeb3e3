"""Process trees: a child and all its descendants, which are suspended, measured and killed together.

A runtime, such as a browser, may be several processes. Processes belong to it if they descend from the child, or if
they have its mark, which is an environment variable. Descendants inherit the mark, so they can be recognised even if
they leave the session or if their parent has ended.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

#: The environment variable that holds the mark. Marks are paths: that of a grandchild extends the child's
#: ("RUN/000001/RUN/000001").
MARK = "ONNX_ATTENTION_COMPARE_RUN"

#: The longest wait for killed processes to end, in seconds. A process that hangs in the kernel never ends.
PATIENCE = 10.0


class ProcessTree:
    """A process and all its descendants.

    pid: the id of the process, the root of the tree.
    mark: the value of `MARK` in its environment.

    Memory is that of the processes that the last `suspend` found; while suspended, they start no others.
    """

    def __init__(self, pid: int, mark: str) -> None:
        self._mark = mark
        self._root = psutil.Process(pid)
        self._members = [self._root]
        self._peak = 0

    def suspend(self) -> None:
        """Suspend the whole tree: the known processes first, then descendants, until no new one appears."""
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
        """Resume the suspended processes."""
        for process in self._members:
            with suppress(psutil.Error):
                process.resume()

    def kill(self) -> None:
        """Kill the whole tree. On return none of it runs; the caller must still wait for the root process."""
        self.suspend()
        for process in self._members:
            with suppress(psutil.Error):
                process.kill()
        kill_marked(self._mark)

    def pids(self) -> set[int]:
        """Return the ids of the processes that the last `suspend` found."""
        return {process.pid for process in self._members}

    def peak_bytes(self) -> int:
        """Return the largest memory of the tree so far, in bytes.

        It is the largest sum of any call so far, so processes that have ended since still count. The sum is that of the
        peak resident memory of each living process. On Linux this is VmHWM of proc(5), given in KiB; the maximum of
        getrusage would not do, because a child inherits it from its parent. On Windows it is the peak working set. On
        other systems it is the resident memory now.
        """
        self._peak = max(self._peak, sum(map(_peak_of, self._members)))
        return self._peak

    def forget_peak(self) -> None:
        """Reset the largest memory of the tree. The peaks of its processes stay unless they reset them themselves."""
        self._peak = 0

    def settled_bytes(self) -> int:
        """Return the memory of the tree now, in bytes.

        For a single process this is its resident memory. For several it is the sum of their unshared memory, and the
        largest shared memory of any of them, so that shared pages count once. The proportional set size (proc(5)) would
        divide a library among all processes that use it, those of other runtimes included. If the unshared memory
        cannot be read, all resident memory counts as unshared.
        """
        if len(self._members) == 1:
            return _resident(self._members[0])
        parts = [_own_and_shared(process) for process in self._members]
        return sum(own for own, _ in parts) + max((shared for _, shared in parts), default=0)

    def _living(self) -> list[psutil.Process]:
        """Return the living processes: the root, its descendants, and known ones whose parent has ended.

        A parent comes before its children.
        """
        below: list[psutil.Process] = []
        with suppress(psutil.Error):
            below = self._root.children(recursive=True)
        known = list(dict.fromkeys([self._root, *below, *self._members]))
        return [process for process in known if process.is_running()]


def marked(mark: str) -> list[psutil.Process]:
    """Return all processes whose mark is this one or begins with it, and their descendants, but never this process.

    Descendants are included because their mark may not be readable. Jenkins' ProcessTreeKiller finds processes in the
    same way.
    """
    found: dict[psutil.Process, None] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it has ended, or belongs to another user
            if is_under(process.environ().get(MARK, ""), mark):
                found |= dict.fromkeys([process, *process.children(recursive=True)])
    return [process for process in found if process.pid != os.getpid()]


def is_under(mark: str, other: str) -> bool:
    """Return whether a mark equals another mark, or was made by a process with the other mark.

    >>> is_under("a/1", "a/1"), is_under("a/1/b/1", "a"), is_under("a/12", "a/1"), is_under("", "a")
    (True, True, False, False)
    """
    return f"{mark}/".startswith(f"{other}/")


def kill_marked(mark: str) -> None:
    """Kill all processes that carry the mark, until none is left or `PATIENCE` has passed."""
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
            return int(lines[0].split()[1]) * 1024 if lines else 0  # a process that has just ended has no VmHWM
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
    except (psutil.Error, AttributeError):  # some systems do not report a unique set size
        return _resident(process), 0

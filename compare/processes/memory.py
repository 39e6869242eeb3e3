"""Watch that a child does not take all memory (`export.memory` says how much is free), and count the kernel's kills."""

from pathlib import Path

import psutil

from export.memory import available_bytes, memory_groups

#: A child is ended if less than this share of the machine's memory is free, and at most this many bytes, because of it.
RESERVE, MOST_RESERVE = 0.05, 1_000_000_000

#: Seconds between two looks at the memory of a child that is not timed. A process takes some GB a second at most.
INTERVAL = 0.1

#: The same for a child that may be timed. Most turns take less, and a look takes a few thousandths of this.
TIMED_INTERVAL = 0.5


class MemoryWatch:
    """Tells whether a child takes too much memory: all that was free, or more than a limit.

    pid: its process id. Its descendants are not looked at. limit: bytes that it may have; None for what is free.
    """

    def __init__(self, pid: int, limit: float | None = None) -> None:
        self.pid, self._limit = pid, limit
        self._free, self._first = available_bytes(), resident_bytes(pid)
        self._reserve = min(RESERVE * psutil.virtual_memory().total, MOST_RESERVE)

    def exceeded(self) -> str:
        """Return what the child takes and why that is too much; empty if it is not."""
        taken = resident_bytes(self.pid)
        if self._limit is not None and taken > self._limit:
            return f"it took {taken / 1e9:.1f} GB of memory, more than the {self._limit / 1e9:.1f} GB that it may have"
        free = available_bytes()
        if free < self._reserve and taken - self._first > (self._free - self._reserve) / 2:
            return f"it took {taken / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB were left"
        return ""


def resident_bytes(pid: int) -> int:
    """Return the memory of a process, in bytes; 0 if it has ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def out_of_memory_kills() -> int:
    """Return how many processes the kernel has killed because memory ran out; 0 if the system does not count them.

    Linux counts them as `oom_kill`: for a control group in memory.events (v2) or memory.oom_control (v1), for the whole
    machine in /proc/vmstat. The count of this process's control group comes first.
    """
    for path in counters():
        if path.is_file():
            pairs = (line.split() for line in path.read_text().splitlines())
            found = next((int(pair[1]) for pair in pairs if pair[:1] == ["oom_kill"]), None)
            if found is not None:
                return found
    return 0


def counters() -> list[Path]:
    """Return the files that may hold the count of `out_of_memory_kills`, those closest to this process first."""
    groups = [folder / name for folder in memory_groups() for name in ("memory.events", "memory.oom_control")]
    return [*groups, Path("/proc/vmstat")]

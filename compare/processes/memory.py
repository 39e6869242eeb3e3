"""Read how often the kernel has killed a process because memory ran out."""

from pathlib import Path

from export.memory import available_bytes as available_bytes
from export.memory import memory_groups


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
    names = ("memory.oom_control", "memory.events")
    return [*(folder / name for folder in memory_groups() for name in names), Path("/proc/vmstat")]

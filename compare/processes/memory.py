"""Read how much memory is available, and how often the kernel has killed a process because memory ran out."""

from pathlib import Path

import psutil


def available_bytes() -> int:
    """Return the system's estimate of how many bytes new processes can use without swapping."""
    return int(psutil.virtual_memory().available)


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
    groups = Path("/proc/self/cgroup")
    lines = [line.split(":", 2) for line in groups.read_text().splitlines()] if groups.is_file() else []
    root = Path("/sys/fs/cgroup")
    found = []
    for _, controllers, group in lines:
        if "memory" in controllers.split(","):
            found += [root / "memory" / group.lstrip("/") / "memory.oom_control", root / "memory/memory.oom_control"]
        elif not controllers:
            found += [root / group.lstrip("/") / "memory.events", root / "memory.events"]
    return [*found, Path("/proc/vmstat")]

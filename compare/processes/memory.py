"""The machine's memory: how much of it is left, and whether the kernel has ended a process for want of it."""

from pathlib import Path

import psutil


def available_bytes() -> int:
    """What a new process can have without another being moved out, as the system estimates it."""
    return int(psutil.virtual_memory().available)


def out_of_memory_kills() -> int:
    """How many processes the kernel has killed for want of memory, in this process's group where it counts those.

    Linux counts them as `oom_kill`: of a control group in memory.events (v2) or memory.oom_control (v1), of the machine
    in /proc/vmstat. 0 where nobody counts.
    """
    for path in counters():
        if path.is_file():
            pairs = (line.split() for line in path.read_text().splitlines())
            found = next((int(pair[1]) for pair in pairs if pair[:1] == ["oom_kill"]), None)
            if found is not None:
                return found
    return 0


def counters() -> list[Path]:
    """The files that may hold that count, the one that is the nearest to this process first."""
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

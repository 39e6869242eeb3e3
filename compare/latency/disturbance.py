"""What other processes did while a turn ran: a turn counts only where they left the machine to it.

A load that is there all the time is in every sample of every runtime, and in both sides of the A/A control, but it does
not slow all runtimes alike: threads that meet at barriers wait for the slowest of them. So each turn has two snapshots
of the machine around it, and what was used between them by others is its load (docs/method.md, Disturbed turns).

On Linux a snapshot holds the CPU clock of every process, which is exact, and the machine's idle and stolen time, which
the kernel gives in hundredths of a second; elsewhere the machine's times alone.
"""

import os
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from compare import machine

#: A turn counts where others used at most this part of the CPU time. `python -m benchmarks.busy` measures what it costs
#: on a quiet machine and what it lets pass on a busy one.
MAX_LOAD = 0.05

#: A process is named where it used at least this part of the CPU time of a turn.
NAMED_FROM = 0.01

#: How far the machine's times may be off for each CPU: they are rounded to hundredths of a second at both ends. In
#: nanoseconds.
_ROUNDED = 20_000_000

_LINUX = sys.platform == "linux"

#: The inode of the process namespace that Linux begins with; a container has another one (proc_ns.h).
_FIRST_NAMESPACE = "pid:[4026531836]"


@dataclass(frozen=True)
class Snapshot:
    """The machine at one moment, in nanoseconds that never go back.

    wall: since some moment. idle, stolen, counted: of the CPUs that this process may use, added up; counted is all that
    the system accounts for, idle or not. processes: process id -> CPU time used so far.
    """

    wall: int
    idle: int
    stolen: int
    counted: int
    processes: Mapping[int, int]


@dataclass(frozen=True)
class Load:
    """What a turn did not have of the CPU time that passed while it ran, as shares of it.

    others: used by processes that are not ours. stolen: given to other machines by the hypervisor. names: process name
    -> its part of `others`, from 1 % on. seconds: how long the turn took.
    """

    others: float
    stolen: float
    seconds: float = 0.0
    names: Mapping[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """
        >>> Load(others=0.25, stolen=0.5).share
        0.75
        """
        return self.others + self.stolen


def snapshot(own: Collection[int]) -> Snapshot:
    """The machine now. own: ids of the processes that are ours."""
    if _LINUX:
        idle, stolen, counted = _machine_times(Path("/proc/stat").read_text(), machine.usable_cpus())
        pids: Collection[int] = [int(found.name) for found in Path("/proc").iterdir() if found.name.isdigit()]
    else:
        times = psutil.cpu_times()
        idle, stolen, counted = (round(1e9 * seconds) for seconds in (times.idle, 0.0, sum(times)))
        pids = own
    used = {pid: found for pid in pids if (found := _cpu_time(pid)) is not None}
    return Snapshot(time.monotonic_ns(), idle, stolen, counted, used)


def load_between(before: Snapshot, after: Snapshot, own: Collection[int], cpus: int | None = None) -> Load:
    """What others used between two snapshots. cpus: how many CPUs the times of the machine are of.

    What is seen of processes is exact, but those that came and went in between are in the machine's times alone. So
    these are believed where they say more than what was seen, by more than they are rounded by.
    """
    cpus = machine.cores() if cpus is None else cpus
    room = cpus * (after.wall - before.wall)
    used = {pid: max(0, found - before.processes.get(pid, 0)) for pid, found in after.processes.items()}
    ours = sum(found for pid, found in used.items() if pid in own)
    seen = {pid: found for pid, found in used.items() if pid not in own and found}
    others = sum(seen.values()) / max(room, (os.cpu_count() or 1) * (after.wall - before.wall))
    counted, stolen = after.counted - before.counted, after.stolen - before.stolen
    if counted > room / 2:  # some sandboxes have a clock that stands still there
        unseen = room - (after.idle - before.idle) - stolen - ours - sum(seen.values())
        if unseen > cpus * _ROUNDED:
            others = (unseen + sum(seen.values())) / room
    names: dict[str, float] = {}
    for pid, found in seen.items():
        if found >= NAMED_FROM * room:
            name = _name(pid)
            names[name] = names.get(name, 0.0) + found / room
    return Load(min(1.0, others), max(0, stolen) / room, (after.wall - before.wall) / 1e9, names)


def visible() -> str:
    """Whose CPU time can be seen from here, to follow "sees"."""
    if not _LINUX:
        return "the machine's CPU time, not by process"
    if str(Path("/proc/self/ns/pid").readlink()) == _FIRST_NAMESPACE:
        return "every process"
    return "the processes of this container, and the machine's CPU time"


def _machine_times(stat: str, cpus: Collection[int] | None) -> tuple[int, int, int]:
    """Idle, stolen and all time of some CPUs, in nanoseconds, from /proc/stat (proc(5)); guests count as user time.

    >>> _machine_times("cpu  9 9 9 9 9 9 9 9\\ncpu0 1 0 2 5 1 0 0 3 0 0\\ncpu1 9 9 9 9 9 9 9 9\\n", [0])
    (60000000, 30000000, 120000000)
    """
    tick = 10**9 // os.sysconf("SC_CLK_TCK")
    idle = stolen = counted = 0
    for line in stat.splitlines():
        name, *values = line.split()
        if not name.startswith("cpu"):
            break
        if name != "cpu" and (cpus is None or int(name[3:]) in cpus):
            user, nice, system, idling, waiting, *more = (tick * int(value) for value in values[:8])
            idle += idling + waiting
            stolen += more[2] if len(more) > 2 else 0
            counted += user + nice + system + idling + waiting + sum(more)
    return idle, stolen, counted


def _cpu_time(pid: int) -> int | None:
    """The CPU time of a process, all its threads together, in nanoseconds; None where it has ended."""
    try:
        if _LINUX:
            return time.clock_gettime_ns((~pid << 3) | 2)  # clock_getcpuclockid(3), as the C library makes it
        times = psutil.Process(pid).cpu_times()
        return round(1e9 * (times.user + times.system))
    except (OSError, psutil.Error):
        return None


def _name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return "one that has ended"

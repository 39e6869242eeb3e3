"""Measure how much CPU time other processes used during a turn. A turn counts only if this is little.

A constant load is in every sample of every runtime, and in both sides of the A/A control, but it does not slow all
runtimes alike: threads that meet at barriers wait for the slowest of them. So a snapshot of the machine is taken before
and after each turn. The CPU time that others used between them is the turn's load (docs/latency.md, Disturbed turns).

On Linux a snapshot holds the CPU clock of every process, which is exact, and the machine's idle and stolen time, which
the kernel reports in hundredths of a second. On other systems it holds the machine's times and the CPU times of our own
processes.
"""

import os
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from compare import machine

#: A turn counts if others used at most this share of the CPU time. `python -m benchmarks.busy` measures how many turns
#: the limit rejects on a quiet machine, and how wrong the accepted ratios are on a busy one.
MAX_LOAD = 0.05

#: A process is named if it used at least this share of the CPU time of a turn.
NAMED_FROM = 0.01

#: The largest error of the machine's times, in nanoseconds per CPU: they are rounded to hundredths of a second in both
#: snapshots.
_ROUNDED = 20_000_000

_LINUX = sys.platform == "linux"

#: The inode of Linux's initial process namespace (proc_ns.h). A container has another one.
_FIRST_NAMESPACE = "pid:[4026531836]"


@dataclass(frozen=True)
class Snapshot:
    """The machine's clocks at one moment, in nanoseconds.

    wall: the monotonic clock.
    idle: idle time of the CPUs that this process may use, added up.
    stolen: time of these CPUs that the hypervisor gave to other machines.
    counted: all time of these CPUs in the system's statistics, idle or not.
    processes: process id -> CPU time used so far.
    """

    wall: int
    idle: int
    stolen: int
    counted: int
    processes: Mapping[int, int]


@dataclass(frozen=True)
class Load:
    """The CPU time that a turn could not use, as shares of all CPU time that passed during the turn.

    others: the share that processes other than ours used.
    stolen: the share that the hypervisor gave to other machines.
    seconds: how long the turn took.
    names: process name -> its part of `others`, for processes that used at least 1 %.
    """

    others: float
    stolen: float
    seconds: float = 0.0
    names: Mapping[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """The total load of the turn, at most 1, which is compared with `MAX_LOAD`.

        Stolen time comes in hundredths of a second, so in a short turn it can be more than all time that passed.

        >>> Load(others=0.25, stolen=0.5).share, Load(others=0.25, stolen=2.5).share
        (0.75, 1.0)
        """
        return min(1.0, self.others + self.stolen)


def snapshot(own: Collection[int]) -> Snapshot:
    """Take a snapshot of the machine.

    own: ids of our own processes. On systems other than Linux, only these have clocks in the snapshot.
    """
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
    """Return the load that others caused between two snapshots.

    own: ids of our own processes.
    cpus: the number of CPUs that the machine's times cover; by default all that this process may use.

    The CPU clocks of processes are exact, but a process that started and ended between the snapshots is only in the
    machine's times. So the machine's times are used if they exceed the sum of the clocks by more than their rounding.
    """
    cpus = machine.cores() if cpus is None else cpus
    room = cpus * (after.wall - before.wall)
    used = {pid: max(0, found - before.processes.get(pid, 0)) for pid, found in after.processes.items()}
    ours = sum(found for pid, found in used.items() if pid in own)
    seen = {pid: found for pid, found in used.items() if pid not in own and found}
    whole = max(room, (os.cpu_count() or 1) * (after.wall - before.wall))  # others may use CPUs that we may not
    others = sum(seen.values()) / whole
    counted, stolen = after.counted - before.counted, after.stolen - before.stolen
    if counted > room / 2:  # in some sandboxes the machine's times do not advance
        unseen = room - (after.idle - before.idle) - stolen - ours - sum(seen.values())
        if unseen > cpus * _ROUNDED:
            others, whole = (unseen + sum(seen.values())) / room, room
    names: dict[str, float] = {}
    for pid, found in seen.items():
        if found >= NAMED_FROM * whole:
            name = _name(pid)
            names[name] = names.get(name, 0.0) + found / whole
    return Load(min(1.0, others), max(0, stolen) / room, (after.wall - before.wall) / 1e9, names)


def visible() -> str:
    """Return a phrase that says which processes' CPU time can be measured from this process."""
    if not _LINUX:
        return "the machine's CPU time, not by process"
    if str(Path("/proc/self/ns/pid").readlink()) == _FIRST_NAMESPACE:
        return "every process"
    return "the processes of this container, and the machine's CPU time"


def _machine_times(stat: str, cpus: Collection[int] | None) -> tuple[int, int, int]:
    """Return the idle, stolen and total time of some CPUs, in nanoseconds. Guest time is part of user time.

    stat: the text of /proc/stat (proc(5)).
    cpus: numbers of the CPUs to add up, None for all.

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
    """Return the CPU time of a process, all threads together, in nanoseconds; None if it has ended."""
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
        return "a process that ended"

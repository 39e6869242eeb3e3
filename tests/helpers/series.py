"""Series of samples that no process was needed for, and what is seen of those that have one."""

import time
from types import SimpleNamespace

import psutil

from compare.latency.series import Role, Series


def series_of(name: str, role: Role = Role.RUNTIME, *, decodes: bool = False, **more) -> Series:
    """A series of the row of that name; more: its other fields."""
    process = SimpleNamespace(name=name)  # it can be asked for nothing
    graph = "decode" if decodes else role.graph
    return Series(process, role, graph, **more)  # type: ignore[arg-type]


def stopped(series: Series) -> bool:
    """Whether the process of a series is suspended."""
    for _ in range(100):  # the signal takes a moment to arrive
        if psutil.Process(series.process.pid).status() == psutil.STATUS_STOPPED:
            return True
        time.sleep(0.01)
    return False

"""What tests ask of processes: whether they are stopped, whether they are gone; and a wait until something is so."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from compare.latency.series import Series


def comes_true(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true within a minute: a signal takes a moment to arrive."""
    return any(condition() or time.sleep(0.02) for _ in range(3000))


def stopped(series: "Series") -> bool:
    """Whether the process of a series is suspended, or soon will be."""
    process = psutil.Process(series.process.pid)
    return comes_true(lambda: process.status() == psutil.STATUS_STOPPED)


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of these processes runs any more."""
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)

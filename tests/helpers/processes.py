"""Checks for tests of processes: whether they are suspended or gone, and a wait for a condition."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from compare.latency.series import Series


#: The libraries of a child that is started on its own, and of one that is forked where a template has them.
WAYS = [(), pytest.param(("numpy",), marks=pytest.mark.skipif(sys.platform != "linux", reason="templates need Linux"))]


@contextmanager
def kept_template(libraries: tuple[str, ...], *, threads: int) -> Iterator[None]:
    """Keep a template over all phases of a test, in each of which pytest changes PYTEST_CURRENT_TEST."""
    from compare.processes.templates import template

    with ExitStack() as opened:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("PYTEST_CURRENT_TEST", raising=False)
            opened.enter_context(template(libraries, threads=threads))
        yield


def comes_true(condition: Callable[[], bool]) -> bool:
    """Return whether a condition becomes true within a minute, because a signal takes a moment to arrive."""
    return any(condition() or time.sleep(0.02) for _ in range(3000))


def stopped(series: "Series") -> bool:
    """Return whether the process of a series becomes suspended within a minute."""
    process = psutil.Process(series.process.pid)
    return comes_true(lambda: process.status() == psutil.STATUS_STOPPED)


def gone(processes: list[psutil.Process]) -> bool:
    """Return whether none of these processes runs any more."""
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)

"""Processes that load the machine during a measurement."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BUSY_LOOP = "while True: pass"


@contextmanager
def busy(processes: int, code: str = BUSY_LOOP) -> Iterator[None]:
    """Context manager that runs the code in a number of processes, by default a busy loop.

    At its end it kills these processes and the processes that they started.

    >>> with busy(1):
    ...     pass
    """
    started = [subprocess.Popen([sys.executable, "-c", code], start_new_session=True) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)  # each process leads a session
            process.wait()

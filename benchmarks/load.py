"""Processes that use the machine while something else is measured."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BUSY_LOOP = "while True: pass"


@contextmanager
def busy(processes: int, code: str = BUSY_LOOP) -> Iterator[None]:
    """So many processes run the code while this is open, by default as fast as they can; what they start ends too.

    >>> with busy(1):
    ...     pass
    """
    started = [subprocess.Popen([sys.executable, "-c", code], start_new_session=True) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)  # it leads a session
            process.wait()

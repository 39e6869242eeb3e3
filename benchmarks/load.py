"""Processes that load the machine during a measurement."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: A loop that uses one core.
BUSY_LOOP = "while True: pass"

#: Jobs in separate processes, which last 0.3 s on average, with pauses of 0.7 s on average.
JOBS = """
import os, random, time
random.seed(0)
while True:
    if (job := os.fork()) == 0:
        until = time.monotonic() + random.expovariate(1 / 0.3)
        while time.monotonic() < until:
            pass
        os._exit(0)
    os.waitpid(job, 0)
    time.sleep(random.expovariate(1 / 0.7))
"""

#: Copies of an array of 256 MiB.
COPIES = """
import numpy as np
source, target = np.ones(2**25), np.ones(2**25)
while True:
    np.copyto(target, source)
"""

#: Matrix products in a second torch process, with two threads.
TORCH = """
import torch
torch.set_num_threads(2)
left, right = torch.randn(2, 1024, 1024)
while True:
    left @ right
"""

#: A load that computes for a share of each hundredth of a second and sleeps for the rest.
STEADY = """
import time
while True:
    start = time.perf_counter()
    while time.perf_counter() - start < {share} / 100:
        pass
    time.sleep(max(0, start + 0.01 - time.perf_counter()))
"""


#: What each of these processes does first: if the benchmark is killed, they end too (Linux).
_END_WITH_PARENT = "from compare.processes.child_side import die_with_parent; die_with_parent()"


@contextmanager
def busy(processes: int, code: str = BUSY_LOOP) -> Iterator[None]:
    """Context manager that runs the code in a number of processes, by default a busy loop.

    At its end it kills these processes and the processes that they started. They also end if this process is killed.

    >>> with busy(1):
    ...     pass
    """
    command = [sys.executable, "-c", f"{_END_WITH_PARENT}\n{code}"]
    started = [subprocess.Popen(command, start_new_session=True) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)  # each process leads a session
            process.wait()

"""The wall time of a command, and the peak memory of its process tree."""

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Cost:
    """The cost of a command: wall time in seconds, and peak resident memory of its process tree in bytes.

    The memory is sampled every 20 ms.
    """

    seconds: float
    peak_bytes: int


def cost_of(command: Sequence[str], *, env: Mapping[str, str] | None = None, memory: bool = True) -> Cost:
    """Run a command and return its cost. Raises `CalledProcessError`, with its output, if it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    peaks = [0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peaks), daemon=True)
    if memory:
        watcher.start()
    output, _ = process.communicate()
    seconds = time.perf_counter() - start
    if memory:
        watcher.join(timeout=1)
    if process.returncode != 0:
        print(output.decode(errors="replace")[-3000:])
        raise subprocess.CalledProcessError(process.returncode, command, output)
    return Cost(seconds, peaks[0])


def _watch(pid: int, peaks: list[int]) -> None:
    try:
        root = psutil.Process(pid)
        while root.is_running() and root.status() != psutil.STATUS_ZOMBIE:
            total = 0
            for process in [root, *root.children(recursive=True)]:
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peaks[0] = max(peaks[0], total)
            time.sleep(0.02)
    except psutil.NoSuchProcess:
        return

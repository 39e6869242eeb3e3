"""Child processes that hang and report it, so that a test need not wait for a timeout."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: The environment variable with the folder in which each hanging process leaves a file named by its process id.
FOLDER = "HANGING_PROCESSES"


def hang() -> None:
    """Report that this process hangs, if a folder for reports is set, and hang."""
    if folder := os.environ.get(FOLDER):
        (Path(folder) / str(os.getpid())).touch()
    time.sleep(600)


def hanging(folder: Path) -> set[int]:
    """Return the ids of the processes that have reported that they hang."""
    return {int(file.name) for file in folder.iterdir()}


@contextmanager
def hangs_time_out_at_once(folder: Path) -> Iterator[None]:
    """Context manager in which waiting for a hanging child times out at once, whatever the timeout is.

    folder: an empty folder for the reports of hanging children.
    """
    from compare.processes import child
    from compare.processes.memory import MemoryWatch

    def comes_true(poll: Callable[[float], bool], timeout: float, watch: MemoryWatch, interval: float) -> bool:
        end = time.monotonic() + timeout
        while not poll(min(timeout, 0.05)):
            if watch.pid in hanging(folder) or time.monotonic() > end:
                return False
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, str(folder))
        patch.setattr(child, "_comes_true", comes_true)
        yield

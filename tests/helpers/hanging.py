"""Child processes that hang and report it, so that a test need not wait for a timeout."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from types import SimpleNamespace
from typing import Any

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
    from compare.processes.templates import Forked

    def impatient(plain_wait: Callable[..., int]) -> Callable[..., int]:
        def wait(self: Any, timeout: float | None = None) -> int:
            if timeout is None:
                return plain_wait(self)
            end = time.monotonic() + timeout
            while True:
                try:
                    return plain_wait(self, min(timeout, 0.05))
                except subprocess.TimeoutExpired:
                    if self.pid in hanging(folder) or time.monotonic() > end:
                        raise

        return wait

    def wait_for_answer(
        reads: list[Any], writes: list[Any], errors: list[Any], timeout: float
    ) -> tuple[list[Any], list[Any], list[Any]]:
        (asked,) = (one.process.pid for one in child._alive if one.process.stdout is reads[0])
        end = time.monotonic() + timeout
        while True:
            ready = select(reads, writes, errors, min(timeout, 0.05))
            if any(ready) or asked in hanging(folder) or time.monotonic() > end:
                return ready

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, str(folder))
        for kind in (subprocess.Popen, Forked):
            patch.setattr(kind, "wait", impatient(kind.wait))
        patch.setattr(child, "select", SimpleNamespace(select=wait_for_answer))
        yield

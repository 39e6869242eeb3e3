"""Runs `python -m compare`: in a new process, or in this process if it must be refused."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

COMPARE = [sys.executable, "-m", "compare"]


@contextmanager
def kept_signals() -> Iterator[None]:
    """Restore the handlers of signals after the `with` block, in which a command ends in this process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def fails_with(error: BaseException) -> Callable[[], None]:
    """Return the work of a command that fails."""

    def work() -> None:
        raise error

    return work


def main() -> NoReturn:
    """Run the command line in this process, as `compare.__main__` does, and exit."""
    from compare.cli.app import run
    from export.command import finish

    with kept_signals():
        finish(run)


def command(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a new process and return it with its output."""
    return subprocess.run(
        [*COMPARE, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, **environment}
    )


def refused(
    arguments: list[str],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    after: str = "",
) -> str:
    """Run a command that must exit with `code`, and return its line on stderr, the only one after the progress `after`.

    It runs in this process, where everything is already imported.
    """
    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    stdout, stderr = capfd.readouterr()
    assert (ended.value.code, stdout) == (code, ""), stderr
    assert stderr.startswith(f"{after}error: ")
    line = stderr.removeprefix(after)
    assert line.count("\n") == 1
    return line


def ran(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], code: int = 0
) -> tuple[str, str]:
    """Run a command in this process, and return what it wrote to stdout and to stderr."""
    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    stdout, stderr = capfd.readouterr()
    assert ended.value.code == code, stderr
    return stdout, stderr

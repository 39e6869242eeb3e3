"""python -m compare as a command: run in a process of its own, or refused in this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMPARE = [sys.executable, "-m", "compare"]


def command(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command that was run to its end, with its output."""
    return subprocess.run(
        [*COMPARE, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, **environment}
    )


def refused(arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr of a command that ends with that code; run in this process, which has all imported."""
    from compare.cli.app import main

    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    stdout, stderr = capfd.readouterr()
    assert (ended.value.code, stdout) == (code, ""), stderr
    assert stderr.startswith("error: ")
    assert stderr.count("\n") == 1
    return stderr

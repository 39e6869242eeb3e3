"""python -m compare when it is killed or interrupted: no process is left."""

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.helpers import fakes
from tests.helpers.commands import COMPARE
from tests.helpers.processes import comes_true, gone


@pytest.mark.slow
def test_a_killed_comparison_leaves_no_process(tiny_folder: Path, entry, tmp_path: Path) -> None:
    """It is killed in its rounds, with a runtime whose helpers have sessions of their own; one of them is an orphan."""
    fakes.install(tmp_path)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    arguments = ["--model", str(tiny_folder), "--runtimes", "helped", "--time", "600", "--text", "Hello"]
    with subprocess.Popen(
        [*COMPARE, *arguments, "--out", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as run:
        assert run.stderr is not None
        try:
            next(line for line in run.stderr if line.startswith("rounds: timing"))
            family = psutil.Process(run.pid).children(recursive=True)
            assert sum("a helper" in member.cmdline() for member in family) == 2
        finally:
            run.kill()
    assert comes_true(lambda: gone(family))


@pytest.mark.parametrize(
    ("number", "code", "said", "reached", "processes"),
    [
        pytest.param(signal.SIGINT, 130, "error: interrupted\n", "traces: ", 5, marks=pytest.mark.slow),
        (signal.SIGINT, 130, "error: interrupted\n", "rounds: timing", 5),
        pytest.param(signal.SIGTERM, 143, "error: ended by SIGTERM\n", "rounds: timing", 5, marks=pytest.mark.slow),
        (signal.SIGHUP, 129, "error: ended by SIGHUP\n", "traces: ", 5),
    ],
)
def test_a_signal_ends_everything(
    tiny_folder: Path, entry, tmp_path: Path, number: int, code: int, said: str, reached: str, processes: int
) -> None:
    """It comes while runtimes are traced, and during the rounds, when all workers but one are suspended."""
    out = tmp_path / "out"
    with subprocess.Popen(
        [*COMPARE, "--model", str(tiny_folder), "--quick", *("--time", "600", "--threads", "1"), "--out", str(out)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # nohup and a shell's background job ignore some
    ) as run:
        assert run.stderr is not None
        try:
            next(line for line in run.stderr if line.startswith(reached))
            root = psutil.Process(run.pid)
            assert comes_true(lambda: len(root.children(recursive=True)) >= processes)
            family = root.children(recursive=True)
            run.send_signal(number)
            assert run.wait(timeout=20) == code
        finally:
            run.kill()
        assert run.stderr.read().endswith(said)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    assert not (out / "scratch").exists()

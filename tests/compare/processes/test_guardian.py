"""Test that no process of a run remains, however it ends, and that no other process is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from compare.processes import guardian
from compare.processes.tree import MARK, is_under
from tests.helpers.processes import comes_true, gone

#: A child that starts an orphan in another session, prints its id, and waits.
CHILD = """
import subprocess, sys, time
from compare.processes.child import Launch, run_child
from compare.processes.child_side import main_of_child, questions
from pathlib import Path
def work(job):
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)", "the sleeper"]
    subprocess.Popen(sleeper, start_new_session=True)
    if job["nested"]:
        run_child(Launch("some_child", {"nested": False}, threads=1, log=Path(job["log"])), timeout=600)
    for line, answer in questions(): answer({})
    time.sleep(600)
main_of_child(work)
"""

#: A run that starts that child, suspends it, and reports this.
PARENT = """
import sys, time
from compare.processes.child import Dialogue, Launch
from compare.processes.templates import template
from pathlib import Path
nested = "nested" in sys.argv
log = Path(sys.argv[1])
libraries = ("numpy",) if "forked" in sys.argv else ()
with template(libraries, threads=1):
    job = {"nested": nested, "log": log / "inner"}
    child = Dialogue(Launch("some_child", job, threads=1, log=log / "outer", libraries=libraries), timeout=60)
    if not nested:
        child.ask("hello")
        child.tree.suspend()
    try:
        print("ready", flush=True)
        sys.stdin.readline()
    except KeyboardInterrupt:
        sys.exit(130)
    if "end" in sys.argv:
        child.end()
"""


class Started:
    """A run in progress, and all of its processes."""

    def __init__(self, folder: Path, *arguments: str, members: int = 3) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(folder), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        root = psutil.Process(self.process.pid)
        assert comes_true(lambda: len(root.children(recursive=True)) == members)
        self.members = root.children(recursive=True)

    def end(self) -> None:
        for process in (self.process, *self.members):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.communicate()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """A function that starts a run. All runs are ended after the test."""
    (tmp_path / "some_child.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    runs = []

    def started(*arguments: str, members: int = 3) -> Started:
        runs.append(Started(tmp_path, *arguments, members=members + ("forked" in arguments)))
        return runs[-1]

    yield started
    for one in runs:
        one.end()


@pytest.mark.parametrize("way", ["on its own", "forked"])
@pytest.mark.parametrize(("signal_", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, -15), (signal.SIGINT, 130)])
def test_nobody_is_left_of_a_run_that_a_signal_ends(run, signal_: int, code: int, way: str) -> None:
    started = run(way)
    assert any("the sleeper" in member.cmdline() for member in started.members)
    started.process.send_signal(signal_)
    assert started.process.wait() == code
    assert comes_true(lambda: gone(started.members))


@pytest.mark.parametrize("way", ["on its own", "forked"])
@pytest.mark.parametrize("how", ["end", "return"])
def test_nobody_is_left_of_a_run_that_ends_in_the_usual_way(run, how: str, way: str) -> None:
    started = run(how, way)
    started.process.communicate("go on\n")
    assert started.process.returncode == 0
    assert comes_true(lambda: gone(started.members))


def test_another_run_goes_on(run) -> None:
    first, second = run(), run()
    first.process.kill()
    assert comes_true(lambda: gone(first.members))
    assert all(member.is_running() for member in second.members)


def test_a_guardian_has_a_session_of_its_own_and_is_replaced(run) -> None:
    first = guardian.mark_of_child()
    assert guardian._guarded is not None
    before = guardian._guarded.guardian
    assert os.getsid(before.pid) == before.pid
    before.kill()
    before.wait()
    second = guardian.mark_of_child()
    assert first.rpartition("/")[0] == second.rpartition("/")[0]
    assert first != second
    assert guardian._guarded.guardian.poll() is None


@pytest.mark.parametrize("way", ["on its own", "forked"])
def test_the_outer_guardian_finds_what_an_inner_run_started(run, way: str) -> None:
    """The child has its own guardian and child here, and each of the two children starts a sleeping process."""
    started = run("nested", way, members=6)
    for member in started.members:
        if "compare.processes.guardian" in member.cmdline() and member.ppid() != started.process.pid:
            member.kill()  # the inner guardian, so that only the outer one can kill them
    started.process.kill()
    assert comes_true(lambda: gone(started.members))


def test_a_mark_begins_with_that_of_whoever_started_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guardian, "_guarded", None)
    monkeypatch.setenv(MARK, "outer/3")
    mark = guardian.mark_of_child()
    assert is_under(mark, "outer/3")
    assert mark != "outer/3"
    assert guardian._guarded is not None
    guardian._guarded.guardian.communicate()  # the guarded process has no children, so the guardian ends
    assert guardian._guarded.guardian.returncode == 0

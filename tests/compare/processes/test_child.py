"""Test that the end of a child is described in one line, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from compare.processes import templates
from compare.processes.child import ChildFailed, Dialogue, Launch, OutOfMemory, run_child
from compare.processes.environment import environment
from tests.helpers.hanging import FOLDER, hanging
from tests.helpers.processes import WAYS, comes_true, gone, kept_template

SOURCE = """
from compare.processes.child_side import main_of_child
from tests.helpers.hanging import hang
import os, signal, subprocess, sys, time
def work(job):
    if job["do"] == "write": open(job["path"], "w").write("done")
    if job["do"] == "raise": raise ValueError("two\\nlines\\x1b[2J")
    if job["do"] == "crash": os.kill(os.getpid(), signal.SIGSEGV)
    if job["do"] == "hang": hang()
    if job["do"] == "silent": os._exit(7)
    if job["do"] == "grow":
        held = []
        while len(held) < 3000: held.append(b"x" * 10**7); time.sleep(0.005)
    if job["do"] == "starve": open(job["path"], "w").write("oom_kill 1"); os.kill(os.getpid(), signal.SIGKILL)
    if job["do"] == "helped": subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", job["path"]])
main_of_child(work)
"""


@pytest.fixture(params=WAYS, ids=str)
def child(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that runs a child, which is started on its own in one case and forked in the other."""
    (tmp_path / "some_child.py").write_text(SOURCE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def run(do: str, timeout: float = 60.0, memory: float | None = None) -> None:
        job = {"do": do, "path": tmp_path / "out"}
        log = tmp_path / "logs" / "log"
        launch = Launch("some_child", job, threads=1, log=log, libraries=request.param)
        run_child(launch, timeout=timeout, memory=memory)

    forks = []
    plain = templates.Template.fork
    monkeypatch.setattr(templates.Template, "fork", lambda *given, **more: forks.append(0) or plain(*given, **more))
    with kept_template(request.param, threads=1):
        yield run
    assert len(forks) == (1 if request.param else 0)


@pytest.fixture
def at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a hanging child reports that it hangs."""
    folder = tmp_path / "hanging"
    folder.mkdir()
    monkeypatch.setenv(FOLDER, str(folder))
    return folder


def test_a_child_that_does_its_job_leaves_no_log(child, tmp_path: Path) -> None:
    child("write")
    assert (tmp_path / "out").read_text() == "done"
    assert list((tmp_path / "logs").iterdir()) == []


@pytest.mark.parametrize(
    ("do", "message"),
    [
        ("raise", r"^ValueError: two lines\\x1b\[2J$"),
        ("crash", "^killed by SIGSEGV$"),
        ("silent", "^ended with exit code 7 and no output$"),
    ],
)
def test_last_words(child, tmp_path: Path, do: str, message: str) -> None:
    with pytest.raises(ChildFailed, match=message):
        child(do)
    assert (tmp_path / "logs" / "log").exists()


def test_a_child_that_hangs_is_ended(child, hangs_time_out) -> None:
    with pytest.raises(ChildFailed, match=r"^no answer within 60 s$"):
        child("hang")
    (hung,) = hanging(Path(os.environ[FOLDER]))
    assert not psutil.pid_exists(hung) or gone([psutil.Process(hung)])


def test_a_child_that_takes_too_long_is_ended(child) -> None:
    with pytest.raises(ChildFailed, match=r"^no answer within 0 s$"):
        child("hang", timeout=0.01)


def test_a_child_that_was_killed_for_want_of_memory(child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compare.processes.memory.counters", lambda: [tmp_path / "out"])
    with pytest.raises(ChildFailed, match=r"^killed by SIGKILL: out of memory$"):
        child("starve")


def test_what_a_child_leaves_behind_ends_with_it(child, tmp_path: Path) -> None:
    child("helped")
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path / "out") in (p.info["cmdline"] or ())]


@pytest.mark.skipif(sys.platform != "linux", reason="the parent's death is told by Linux alone")
def test_a_child_dies_with_its_parent_even_while_it_is_stopped(tmp_path: Path, at_work: Path) -> None:
    (tmp_path / "some_child.py").write_text(SOURCE)
    code = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-m', 'some_child', '{\"do\": \"hang\"}'])\n"
        "print(p.pid, flush=True); time.sleep(600)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    orphan = psutil.Process(int(parent.stdout.readline()))
    assert comes_true(lambda: hanging(at_work) == {orphan.pid})  # by now it has asked to be told
    orphan.suspend()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    gone, _ = psutil.wait_procs([orphan], timeout=10)
    assert gone or not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE


def test_a_child_that_is_killed_within_an_answer_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
import os, signal, sys
from compare.processes.child_side import main_of_child, questions
def work(job):
    for line, answer in questions():
        answer({"line": line})
        if line == "end":
            sys.stdout.flush()
            os.write(job["answers"], b'{"half')
            os.kill(os.getpid(), signal.SIGKILL)
job_of_answers = os.dup(1)
main_of_child(lambda job: work({**job, "answers": job_of_answers}))
"""
    (tmp_path / "halves.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    dialogue = Dialogue(Launch("halves", {}, threads=1, log=tmp_path / "log"), timeout=60)
    try:
        assert dialogue.ask("\u00fc") == {"line": "\u00fc"}
        assert dialogue.ask("end") == {"line": "end"}
        with pytest.raises(ChildFailed, match=r"^killed by SIGKILL$"):
            dialogue.ask("next")
    finally:
        dialogue.end()


def test_every_child_has_the_same_threads_and_no_hub() -> None:
    given = environment(3)
    assert {given[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")} == {"3"}
    assert given["HF_HUB_OFFLINE"] == "1"
    assert "glibc.malloc.hugetlb=1" in given["GLIBC_TUNABLES"].split(":")


def test_a_child_that_takes_more_memory_than_it_may_is_ended(child) -> None:
    with pytest.raises(OutOfMemory, match=r"^it took \d\.\d GB of memory, more than the 0\.4 GB that it may have$"):
        child("grow", memory=0.4e9)

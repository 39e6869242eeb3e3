"""A forked child is what a child that was started on its own is, and a template serves only children that it suits."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from compare.processes import templates
from compare.processes.child import ChildFailed, Dialogue, Launch
from compare.processes.templates import Forked, template
from compare.processes.tree import MARK, marked
from tests.helpers.processes import comes_true, gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="templates need Linux")

LIBRARIES = ("numpy",)

#: Answers a name with a fact about its process.
CHILD = """
import gc, os, sys, traceback
from pathlib import Path
from compare.processes.child_side import main_of_child, questions
import numpy as np
def threads():
    square = np.ones((600, 600)) @ np.ones((600, 600))
    return len(os.listdir("/proc/self/task"))
def size(file, name):
    return int(Path("/proc/self", file).read_text().partition(name)[2].split()[0])
FACTS = {
    "mark": lambda: os.environ["ONNX_ATTENTION_COMPARE_RUN"],
    "environ": lambda: dict(os.environ),
    "cpus": lambda: sorted(os.sched_getaffinity(0)),
    "threads": threads,
    "garbage": lambda: {"is searched for": gc.isenabled(), "excluded": gc.get_freeze_count()},
    "random": lambda: float(np.random.rand()),
    "memory": lambda: {"files": size("status", "RssFile:"), "private": size("smaps_rollup", "Private_Dirty:"),
                       "huge": size("smaps_rollup", "AnonHugePages:")},
    "depth": lambda: {"frames": [frame.name for frame in traceback.extract_stack()]},
    "files": lambda: [str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()],
    "start": lambda: {"argv": sys.argv, "path": sys.path, "name": __name__, "cwd": os.getcwd()},
    "streams": lambda: [repr(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)],
}
def work(job):
    for line, answer in questions(): answer({line: FACTS[line]()})
main_of_child(work)
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that starts a child; all are ended after the test."""
    (tmp_path / "some_child.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    children: list[Dialogue] = []

    def started(libraries: tuple[str, ...] = LIBRARIES, threads: int = 2, **more: Any) -> Dialogue:
        log = tmp_path / f"{len(children)}.log"
        launch = Launch("some_child", {"a": 1}, threads=threads, log=log, libraries=libraries, **more)
        children.append(Dialogue(launch, timeout=60))
        return children[-1]

    yield started
    for one in children:
        one.end()


def test_a_forked_child_is_as_one_that_is_started_on_its_own(child) -> None:
    with template(LIBRARIES, threads=2):
        forked, other = child(), child(())
        assert isinstance(forked.process, Forked)
        assert isinstance(other.process, subprocess.Popen)
        for fact in ("cpus", "threads", "start", "streams"):
            assert forked.ask(fact) == other.ask(fact)
        environs = [one.ask("environ")["environ"] for one in (forked, other)]
        assert environs[0].keys() == environs[1].keys()
        assert {name for name in environs[0] if environs[0][name] != environs[1][name]} == {MARK}


def test_a_forked_child_can_have_the_memory_of_one_that_is_started_on_its_own(child) -> None:
    with template(LIBRARIES, threads=2):
        shared, forked, other = (one.ask("memory")["memory"] for one in (child(), child(own_memory=True), child(())))
    for kind in ("files", "private", "huge"):
        a_huge_page = 2048  # KiB; their number depends on where the loader puts the heap
        assert 0.9 * other[kind] - a_huge_page <= forked[kind] <= 1.2 * other[kind] + a_huge_page, kind
    assert shared["files"] < 0.9 * other["files"]
    assert shared["private"] < 0.9 * other["private"]


def test_calls_of_a_forked_child_are_as_deep_as_those_of_one_that_is_started_on_its_own(child) -> None:
    with template(LIBRARIES, threads=2):
        forked, other = child(), child(())
        assert forked.ask("depth") == other.ask("depth")


def test_a_forked_child_searches_for_garbage_but_not_in_what_its_template_imported(child) -> None:
    with template(LIBRARIES, threads=2):
        forked, other = (one.ask("garbage")["garbage"] for one in (child(), child(())))
    assert forked["is searched for"] and other["is searched for"]
    assert forked["excluded"] > 10_000 > other["excluded"]


def test_children_of_one_template_share_nothing(child) -> None:
    libraries = ("numpy.random",)
    with template(libraries, threads=2):
        first, second = child(libraries), child(libraries)
        assert first.ask("random") != second.ask("random")
        marks = [one.ask("mark")["mark"] for one in (first, second)]
        assert [process.pid for mark in marks for process in marked(mark)] == [first.process.pid, second.process.pid]
        files = [file for file in second.ask("files")["files"] if "socket:" in file or "pidfd" in file]
        assert files == []
        assert first.ask("mark") == {"mark": marks[0]}


def test_two_threads_can_wait_for_the_end_of_a_child(child) -> None:
    with template(LIBRARIES, threads=2), ThreadPoolExecutor(max_workers=2) as threads:
        for _ in range(20):
            process = child().process
            waiting = [threads.submit(process.wait) for _ in range(2)]
            os.kill(process.pid, signal.SIGKILL)
            assert [each.result(timeout=60) for each in waiting] == [-signal.SIGKILL] * 2


def test_a_suspended_child_does_not_stop_its_template(child) -> None:
    with template(LIBRARIES, threads=2):
        first = child()
        first.ask("cpus")
        first.tree.suspend()
        second = child()
        second.ask("cpus")
        assert isinstance(second.process, Forked)
        first.tree.resume()
        first.ask("cpus")


def test_a_child_that_has_ended_keeps_its_process_id_until_it_is_waited_for(child) -> None:
    with template(LIBRARIES, threads=2):
        one = child()
        process = psutil.Process(one.process.pid)
        process.kill()
        assert comes_true(lambda: process.status() == psutil.STATUS_ZOMBIE)
        with pytest.raises(ChildFailed, match=r"^killed by SIGKILL$"):
            one.ask("cpus")
        assert one.process.returncode == -9
        assert comes_true(lambda: not process.is_running())


def test_the_children_of_a_template_end_with_it_and_the_next_is_started_on_its_own(child) -> None:
    with template(LIBRARIES, threads=2):
        one = child()
        process = psutil.Process(one.process.pid)
        parent = process.parent()
        assert parent is not None
        parent.kill()
        assert comes_true(lambda: gone([process, parent]))
        with pytest.raises(ChildFailed, match=r"^killed by SIGKILL$"):
            one.ask("cpus")
        other = child()
        assert isinstance(other.process, subprocess.Popen)
        other.ask("cpus")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()", "2 threads run after the"),
        ("raise ImportError('not\\n  here')", "ImportError: not here"),
        ("import os; os._exit(3)", "the process that imports them has ended"),
    ],
)
def test_a_template_that_cannot_fork_says_so_once(child, tmp_path: Path, source: str, why: str) -> None:
    (tmp_path / "some_library.py").write_text(source)
    said: list[str] = []
    with template(("some_library",), threads=2, say=said.append):
        for one in (child(("some_library",)), child(("some_library",))):
            assert isinstance(one.process, subprocess.Popen)
    assert len(said) == 1
    assert said[0].startswith(f"processes with some_library are started one by one: {why}")


def test_a_template_serves_children_with_its_own_variables_and_further_ones(child, monkeypatch) -> None:
    monkeypatch.setenv("SOME_VARIABLE", "old")
    with template(LIBRARIES, threads=2):
        monkeypatch.setenv("FURTHER_VARIABLE", "new")
        forked = child()
        assert isinstance(forked.process, Forked)
        assert forked.ask("environ")["environ"]["FURTHER_VARIABLE"] == "new"
        assert isinstance(child(threads=1).process, subprocess.Popen)
        monkeypatch.setenv("PYTHONOPTIMIZE", "1")
        assert isinstance(child().process, subprocess.Popen)
        monkeypatch.delenv("PYTHONOPTIMIZE")
        monkeypatch.setenv("SOME_VARIABLE", "new")
        assert isinstance(child().process, subprocess.Popen)
        monkeypatch.delenv("SOME_VARIABLE")
        assert isinstance(child().process, subprocess.Popen)


def test_a_template_serves_children_of_its_own_folder_libraries_and_cpus(child, tmp_path: Path, monkeypatch) -> None:
    one_cpu = sorted(os.sched_getaffinity(0))[:1]
    with template(LIBRARIES, threads=2), template(LIBRARIES, threads=2, cpus=one_cpu):
        assert child(cpus=one_cpu).ask("cpus") == {"cpus": one_cpu}
        assert isinstance(child(cpus=one_cpu).process, Forked)
        assert child().ask("cpus") == {"cpus": sorted(os.sched_getaffinity(0))}
        assert isinstance(child(("json",)).process, subprocess.Popen)
        monkeypatch.chdir(tmp_path)
        assert isinstance(child().process, subprocess.Popen)


def test_a_child_whose_request_is_too_long_is_started_on_its_own(child, monkeypatch) -> None:
    with template(LIBRARIES, threads=2):
        monkeypatch.setenv("LONG_VARIABLE", "x" * 131_000)
        assert isinstance(child().process, subprocess.Popen)
        monkeypatch.setenv("LONG_VARIABLE", "x" * 100_000)
        assert isinstance(child().process, Forked)


def test_a_template_ends_with_its_last_context_and_is_not_made_twice() -> None:
    before = list(templates._templates)
    with template(LIBRARIES, threads=2):
        (outer,) = [each for each in templates._templates if each not in before]
        with template(LIBRARIES, threads=2):
            assert templates._templates == [*before, outer]
        process = psutil.Process(outer._process.pid)
        assert process.status() != psutil.STATUS_ZOMBIE
    assert templates._templates == before
    assert gone([process])


def test_no_template_is_made_outside_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(templates._templates)
    monkeypatch.setattr("sys.platform", "darwin")
    with template(LIBRARIES, threads=2):
        assert templates._templates == before

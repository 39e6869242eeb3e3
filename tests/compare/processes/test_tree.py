"""Test that a tree is suspended, measured and ended as a whole, even if processes try to leave it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from compare.processes.tree import MARK, ProcessTree, is_under, kill_marked, marked
from tests.helpers.processes import comes_true, gone

#: A process that starts a child in another session and an orphan, prints both ids, and sleeps.
ROOT = """
import subprocess, sys, time
from compare.processes.child_side import adopt_orphans
if "adopt" in sys.argv: adopt_orphans()
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(sleeper, start_new_session=True)
between = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], start_new_session=True, stdout=-3).pid)"
orphan = subprocess.run([sys.executable, "-c", between, *sleeper], stdout=-1, text=True).stdout.strip()
print(child.pid, orphan, flush=True)
time.sleep(600)
"""


def family(mark: str, *arguments: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    root = subprocess.Popen(
        [sys.executable, "-c", ROOT, *arguments], stdout=subprocess.PIPE, text=True, env={**os.environ, MARK: mark}
    )
    assert root.stdout is not None
    return root, [psutil.Process(root.pid), *map(psutil.Process, map(int, root.stdout.readline().split()))]


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[subprocess.Popen[str], list[psutil.Process]]]]:
    """A function that starts a process tree with a mark. All of its processes end after the test."""
    roots = []

    def started(mark: str, *arguments: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
        root, members = family(mark, *arguments)
        roots.append((root, members))
        return root, members

    yield started
    for root, members in roots:
        for member in members:
            if member.is_running():
                member.kill()
        root.wait()
        assert root.stdout is not None
        root.stdout.close()


def stopped(members: list[psutil.Process]) -> bool:
    return all(member.status() == psutil.STATUS_STOPPED for member in members)


def test_all_of_it_is_stopped_and_goes_on(start) -> None:
    root, members = start("stops", "adopt")
    tree = ProcessTree(root.pid, "stops")
    tree.suspend()
    assert comes_true(lambda: stopped(members))
    tree.resume()
    assert comes_true(lambda: not any(member.status() == psutil.STATUS_STOPPED for member in members))


def test_one_whose_parent_ended_after_it_was_seen_is_still_of_it(start) -> None:
    root, members = start("keeps", "adopt")
    tree = ProcessTree(root.pid, "keeps")
    tree.suspend()
    tree.resume()
    root.kill()
    root.wait()
    tree.suspend()
    assert comes_true(lambda: stopped(members[1:]))


def test_nobody_is_left_of_one_that_was_killed(start) -> None:
    """The orphan has no parent in the tree here, so only its mark shows that it belongs to it."""
    root, members = start("kills")
    assert psutil.Process(root.pid).children(recursive=True) == [members[1]]
    ProcessTree(root.pid, "kills").kill()
    root.wait()
    assert comes_true(lambda: gone(members))


def test_one_that_has_ended_already_is_no_trouble(start) -> None:
    root, members = start("ended")
    tree = ProcessTree(root.pid, "ended")
    root.kill()
    root.wait()
    for _ in range(2):
        tree.suspend()
        tree.resume()
    assert tree.peak_bytes() == tree.settled_bytes() == 0
    tree.kill()
    assert comes_true(lambda: gone(members))


def test_a_mark_names_its_own_and_what_was_made_under_it(start) -> None:
    _, mine = start("outer/1")
    _, inner = start("outer/1/inner/1")
    _, other = start("outer/12")
    assert {process.pid for process in marked("outer/1")} == {process.pid for process in [*mine, *inner]}
    kill_marked("outer/1")
    assert comes_true(lambda: gone([*mine, *inner]))
    assert not gone(other)


def test_nobody_is_under_a_mark_that_he_does_not_carry() -> None:
    assert not is_under("", "outer")
    assert marked("no such mark") == []


def test_who_looks_for_a_mark_is_not_among_those_found() -> None:
    code = f"import os; from compare.processes.tree import marked; print(len(marked(os.environ['{MARK}'])))"
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, MARK: "self"}, capture_output=True, text=True, check=True
    )
    assert run.stdout == "0\n"


BALLAST = """
import mmap, os, sys, time
shared = mmap.mmap(-1, 2**26)
shared[:] = b"x" * 2**26
if os.fork(): own = b"y" * 2**25
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pages that are shared are told apart by Linux alone")
def test_memory_is_that_of_all_and_what_they_share_counts_once(tmp_path: Path) -> None:
    """Two processes share 64 MiB, and one of them has 32 MiB of private memory."""
    with subprocess.Popen(
        [sys.executable, "-c", BALLAST], stdout=subprocess.PIPE, env={**os.environ, MARK: "w"}
    ) as root:
        assert root.stdout is not None
        assert root.stdout.readline() + root.stdout.readline() == b"ready\n" * 2
        tree = ProcessTree(root.pid, "w")
        alone = tree.settled_bytes()
        assert alone > 2**26 + 2**25
        tree.suspend()
        assert 2**26 + 2**25 < tree.settled_bytes() < 2 * 2**26
        (child,) = psutil.Process(root.pid).children()
        before = tree.peak_bytes()
        assert before > alone
        child.kill()
        assert comes_true(lambda: gone([child]))
        tree.suspend()
        assert tree.peak_bytes() == before, "the largest that was seen stays"
        tree.kill()

"""Test how the CPU time of other processes is measured, and that a load on this machine is detected and named."""

import os
import subprocess
import sys
import time

import pytest

from compare.latency import disturbance
from compare.latency.disturbance import Load, Snapshot, load_between, snapshot, visible

TENTH = 100_000_000


def between(idle: float, used: dict[int, float], *, stolen: float = 0.0, counted: float = 0.2, before=()) -> Load:
    """Return the load of a tenth of a second on two CPUs. Process 1 is ours. Times are in seconds."""
    spent = {pid: round(1e9 * seconds) for pid, seconds in used.items()}
    first = Snapshot(0, 0, 0, 0, dict.fromkeys(before, 0))
    last = Snapshot(TENTH, *(round(1e9 * seconds) for seconds in (idle, stolen, counted)), spent)
    return load_between(first, last, own={1}, cpus=2)


@pytest.fixture(autouse=True)
def two_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def test_what_is_ours_is_no_load() -> None:
    assert between(0.0, {1: 0.2}).share == 0
    assert between(0.1, {1: 0.1}).share == 0


def test_what_is_seen_of_processes_is_believed_to_the_nanosecond() -> None:
    assert between(0.09, {1: 0.1, 7: 0.002}, before=(1, 7)).others == pytest.approx(0.01)
    assert between(0.1, {1: 0.06, 7: 0.04}).others == pytest.approx(0.2)  # a process that was started in between


def test_names_have_their_part_of_the_load_where_some_cpus_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(disturbance, "_name", lambda pid: f"process {pid}")
    load = between(0.1, {1: 0.1, 7: 0.1})
    assert load.others == pytest.approx(1 / 16)
    assert load.names == {"process 7": pytest.approx(1 / 16)}


def test_what_came_and_went_is_seen_in_the_machines_times() -> None:
    assert between(0.0, {1: 0.1}).others == pytest.approx(0.5)
    assert between(0.07, {1: 0.1}).others == 0  # within their rounding error
    assert between(0.0, {1: 0.1, 7: 0.02}).others == pytest.approx(0.5)


def test_stolen_time_is_a_load_of_its_own() -> None:
    load = between(0.0, {1: 0.15}, stolen=0.05)
    assert (load.others, load.stolen, load.share) == (0, 0.25, 0.25)


def test_times_of_the_machine_that_stand_still_are_not_believed() -> None:
    assert between(0.0, {1: 0.1}, counted=0.0).others == 0
    assert between(0.0, {1: 0.1, 7: 0.02}, counted=0.0).others == pytest.approx(0.1)


def test_a_load_here_is_seen_and_named() -> None:
    code = "print('begins', flush=True)\nwhile True: pass"
    busy = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert busy.stdout is not None
        busy.stdout.readline()
        own = {os.getpid()}
        before = snapshot(own)
        time.sleep(0.3)
        after = snapshot(own)
        load = load_between(before, after, own)
        ours = load_between(before, after, {*own, busy.pid})
    finally:
        busy.kill()
        busy.communicate()
    assert load.others > 0.05  # of all CPUs; other tests may run on them too
    assert load.seconds >= 0.3
    if sys.platform == "linux":
        assert any(name.startswith("python") for name in load.names)
        assert ours.others < load.others


def test_a_process_that_has_ended_is_passed_over() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert disturbance._cpu_time(ended.pid) is None
    assert disturbance._name(ended.pid) == "a process that ended"


def test_whose_time_is_visible_is_said_of_every_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert visible() in ("every process", "the processes of this container, and the machine's CPU time") or (
        sys.platform != "linux"
    )
    monkeypatch.setattr(disturbance, "_FIRST_NAMESPACE", "pid:[1]")
    if sys.platform == "linux":
        assert visible() == "the processes of this container, and the machine's CPU time"
    monkeypatch.setattr(disturbance, "_LINUX", False)
    assert visible() == "the machine's CPU time, not by process"
    used = snapshot({os.getpid()})
    assert used.processes.keys() == {os.getpid()}
    assert used.processes[os.getpid()] > 0
    assert used.counted > used.idle > 0

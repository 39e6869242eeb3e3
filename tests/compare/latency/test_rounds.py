"""The mechanics of the rounds: who runs, who is stopped, in which order, and what becomes of those that fail."""

import os
import random
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from compare.latency import worker_process
from compare.latency.disturbance import Load
from compare.latency.machine_limits import BANDWIDTH, COMPUTE
from compare.latency.worker import stand
from compare.latency.worker_process import LEAST_ROUNDS, Worker, run_rounds
from compare.traces import Trace, write_trace
from tests.compare.processes.test_tree import comes_true, gone


def stopped(worker: Worker) -> bool:
    for _ in range(100):  # the signal takes a moment to arrive
        if psutil.Process(worker._child.process.pid).status() == psutil.STATUS_STOPPED:
            return True
        time.sleep(0.01)
    return False


def test_all_but_the_one_that_is_asked_are_stopped(make, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = [make("torch-eager"), make("onnxruntime")]
    for worker in workers:
        worker.import_libraries()
        assert stopped(worker)
        worker.load()
        assert stopped(worker)
    seen: list[list[str]] = []
    plain = Worker.turn

    def watched(self: Worker, number: int, until: float) -> None:
        seen.append([psutil.Process(w._child.process.pid).status() for w in workers if w is not self])
        plain(self, number, until)
        assert stopped(self)

    monkeypatch.setattr(Worker, "turn", watched)
    assert run_rounds(workers, seconds=0.01, seed=0, least=3) == 3  # as many as asked for, however short the time
    assert seen == [[psutil.STATUS_STOPPED]] * 6
    for worker in workers:
        assert list(worker.timing.turns) == [0, 1, 2]
        assert all(sample > 0 for turn in worker.timing.turns.values() for sample in turn)
        assert worker.timing.peak_bytes > 10_000_000
        assert worker.timing.load_s > 0
        assert worker.timing.first_call_s > 0
        assert worker.timing.facts["threads"] == "1"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a thread choose its CPU")
def test_a_round_begins_on_a_cpu_of_its_own_that_may_be_left(monkeypatch: pytest.MonkeyPatch) -> None:
    moves: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 2, 9})
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cpus: moves.append(cpus))
    for number in range(4):
        stand(number)
    assert moves[::2] == [{2}, {4}, {9}, {2}]
    assert moves[1::2] == [{2, 4, 9}] * 4


def test_every_turn_of_a_round_begins_on_the_same_cpu(make, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    plain = Worker._tell
    monkeypatch.setattr(Worker, "_tell", lambda self, *lines: told.append(lines[0]) or plain(self, *lines))
    workers = [make("onnxruntime"), make("onnxruntime")]
    for worker in workers:
        worker.import_libraries()
        worker.load()
    told.clear()
    run_rounds(workers, seconds=0.01, seed=0, first=5, least=3)
    assert told == [f"stand {number}" for number in (5, 5, 6, 6, 7, 7)]


def test_the_machines_limits_take_their_turns_like_everybody_else(make) -> None:
    workers = [make("onnxruntime"), make(COMPUTE.name), make(BANDWIDTH.name)]
    for worker in workers:
        worker.import_libraries()
        worker.load()
        assert stopped(worker)
    assert run_rounds(workers, seconds=0.01, seed=0, least=3) == 3
    for worker, unit in zip(workers[1:], (COMPUTE.unit, BANDWIDTH.unit), strict=True):
        assert stopped(worker)
        assert list(worker.timing.turns) == [0, 1, 2]
        assert int(worker.timing.facts[unit]) > 10**8
        assert worker.timing.facts["threads"] == "1"
    assert workers[2].timing.peak_bytes > int(workers[2].timing.facts["bytes"])


def test_after_the_rounds_a_worker_runs_other_inputs(make, job, ids_and_mask, tmp_path: Path) -> None:
    ids, mask = (x[:, :6] for x in ids_and_mask)
    write_trace(tmp_path / "rungs" / "first half", {"input_ids": ids, "attention_mask": mask}, {"threads": 1})
    write_trace(tmp_path / "rungs" / "2 threads", {"input_ids": ids, "attention_mask": mask}, {"threads": 2})
    worker = make("onnxruntime")
    worker.import_libraries()
    worker.load()
    counted = worker.operators()
    assert counted["Softmax"] == 2
    for name in ("first half", "2 threads"):
        assert worker.rung(name) is None
        assert Trace(tmp_path / "self" / name)["logits"].shape == (1, 6, 300)
    assert stopped(worker)


def test_a_rung_that_fails_leaves_what_was_timed(fake_runtimes, make, ids_and_mask, tmp_path: Path) -> None:
    ids, mask = ids_and_mask[0], np.ones_like(ids_and_mask[1])
    write_trace(tmp_path / "inputs", {"input_ids": ids, "attention_mask": mask})
    for name, length, seen in (("plain", 12, 1), ("padding", 12, 0), ("short", 4, 1)):
        tensors = {"input_ids": ids[:, :length], "attention_mask": seen * mask[:, :length]}
        write_trace(tmp_path / "rungs" / name, tensors, {"threads": 1})
    worker = make("moody")
    worker.import_libraries()
    worker.load()
    worker.turn(0)
    assert worker.rung("plain") is None
    assert worker.rung("padding") == "ValueError: no padding"
    assert worker.rung("short") == worker.rung("plain") == "killed by SIGKILL"
    assert worker.operators() == {}
    assert worker.timing.error is None
    assert worker.timing.turns[0]


class _Recorded:
    """Stands in for a worker where only the order is looked at."""

    def __init__(self, name: str, calls: list[tuple[int, str]], dies_after: int = 99) -> None:
        self.name, self.calls, self.dies_after = name, calls, dies_after
        self.alive = True

    def turn(self, number: int, until: float) -> None:
        self.calls.append((number, self.name))
        self.alive = number < self.dies_after


def order_of(
    seed: int, names: str = "abcd", dies_after: dict[str, int] | None = None, first: int = 0
) -> list[tuple[int, str]]:
    calls: list[tuple[int, str]] = []
    workers = [_Recorded(name, calls, (dies_after or {}).get(name, 99)) for name in names]
    next_one = run_rounds(workers, seconds=1e-6, seed=seed, first=first, least=3)  # type: ignore[arg-type]
    assert next_one == calls[-1][0] + 1
    return calls


def test_the_order_is_the_seeds_and_everyone_has_one_turn_a_round() -> None:
    calls = order_of(seed=7)
    assert calls == order_of(seed=7)
    assert calls != order_of(seed=8)
    for number in range(3):
        assert sorted(name for n, name in calls if n == number) == list("abcd")
    orders = ["".join(name for n, name in calls if n == number) for number in range(3)]
    generator = random.Random(7)
    assert orders == ["".join(generator.sample("abcd", 4)) for _ in range(3)]


@pytest.mark.parametrize(("asked", "number"), [(1, LEAST_ROUNDS), (5, LEAST_ROUNDS + 4)])
def test_rounds_end_once_they_are_done_but_not_before_an_interval_can_be_trusted(asked: int, number: int) -> None:
    calls: list[tuple[int, str]] = []
    answers = iter([False] * (asked - 1) + [True])
    workers = [_Recorded(name, calls) for name in "ab"]
    found = run_rounds(workers, seconds=600, seed=0, first=7, done=lambda: next(answers))  # type: ignore[arg-type]
    assert found == 7 + number
    assert {n for n, _ in calls} == set(range(7, 7 + number))


def test_who_is_there_for_another_figure_has_a_turn_in_every_third_round() -> None:
    calls: list[tuple[int, str]] = []
    a, b, c = (_Recorded(name, calls) for name in "abc")
    run_rounds([a, b, c], seconds=600, seed=0, first=7, seldom=[b], done=lambda: len(calls) > 40)  # type: ignore[arg-type, list-item]
    assert {n for n, name in calls if name == "a"} == {n for n, name in calls if name == "c"} == set(range(7, 25))
    assert [n for n, name in calls if name == "b"] == [7, 10, 13, 16, 19, 22]
    assert [name for n, name in calls if n == 7][-1] == "b"  # what no ratio needs comes last


def test_once_the_time_is_spent_a_round_ends_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, str]] = []
    clock = SimpleNamespace(monotonic=lambda: len(calls))  # a turn takes a second
    monkeypatch.setattr(worker_process, "time", clock)
    a, b, c = (_Recorded(name, calls) for name in "abc")
    assert run_rounds([a, b, c], seconds=5, seed=0, seldom=[c]) == 2  # type: ignore[arg-type, list-item]
    assert [number for number, _ in calls] == [0, 0, 0, 1, 1]
    calls.clear()
    assert run_rounds([a, b, c], seconds=1, seed=0, least=4, seldom=[c]) == 4  # type: ignore[arg-type, list-item]
    assert [n for n, name in calls if name == "c"] == [0]
    assert [n for n, name in calls if name == "a"] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("shares", "seconds", "turns", "disturbed"),
    [
        ([0.0], 600, {4: [1]}, {}),
        ([0.5, 0.01], 600, {4: [2]}, {4: [[1]]}),
        ([0.5, 0.4, 0.3, 0.0], 600, {}, {4: [[1], [2], [3]]}),
        ([0.5, 0.0], 0, {}, {4: [[1]]}),  # no time left to take it again
    ],
)
def test_a_disturbed_turn_is_taken_again_while_there_is_time(
    make, monkeypatch: pytest.MonkeyPatch, shares: list[float], seconds: float, turns: dict, disturbed: dict
) -> None:
    loads = iter([Load(others=share, stolen=0.0, seconds=1.0) for share in shares])
    monkeypatch.setattr(worker_process, "load_between", lambda *_: next(loads))
    worker = make("onnxruntime", max_load=0.05)
    answers = iter([{"ns": [attempt]} for attempt in (1, 2, 3)])
    monkeypatch.setattr(worker, "_ask", lambda *_: next(answers))
    worker.turn(4, until=time.monotonic() + seconds)
    assert worker.timing.turns == turns
    assert worker.timing.disturbed == disturbed
    attempts = worker.timing.loads[4]
    assert [load.others for load in attempts] == shares[: len(attempts)]
    assert len(attempts) == sum(map(len, [*turns.values(), *disturbed.values()]))


def test_rounds_are_numbered_from_the_first_on() -> None:
    assert order_of(seed=7, first=5) == [(number + 5, name) for number, name in order_of(seed=7)]


def test_one_that_died_has_no_more_turns_and_the_others_go_on() -> None:
    calls = order_of(seed=0, dies_after={"b": 0})
    assert [n for n, name in calls if name == "b"] == [0]
    assert [n for n, name in calls if name == "a"] == [0, 1, 2]
    assert order_of(seed=0, names="a", dies_after={"a": 0}) == [(0, "a")]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("crashes", "killed by SIGSEGV"),
        ("raises", "RuntimeError: no kernel for this"),
        (
            "greedy",
            "MemoryError: Unable to allocate 8.00 PiB for an array with shape (1125899906842624,) and "
            "data type float64",
        ),
        ("absent", "CannotRun: runtime absent needs no_such_package_9, not installed here: pip install absent"),
    ],
)
def test_one_that_fails_says_why_and_leaves_nobody_behind(fake_runtimes, make, name: str, error: str) -> None:
    worker = make(name)
    worker.import_libraries()
    worker.load()
    worker.turn(0)
    assert not worker.alive
    assert worker.timing.error == error
    assert worker.timing.turns == {}
    worker.end()
    assert not psutil.pid_exists(worker._child.process.pid)


def test_one_that_hangs_is_given_up(fake_runtimes, make) -> None:
    worker = make("hangs", timeout=20)
    worker.import_libraries()
    worker.load()
    assert worker.timing.error == "no answer to 'load deploy' within 20 s"
    worker.end()
    assert not psutil.pid_exists(worker._child.process.pid)


def test_a_worker_that_was_killed_between_turns(make) -> None:
    worker = make("torch-eager")
    worker.import_libraries()
    worker.load()
    worker._child.process.kill()
    worker._child.process.wait()
    worker.turn(0)
    assert worker.timing.error == "killed by SIGKILL"


def test_one_that_the_kernel_killed_for_want_of_memory_says_so(make, tmp_path: Path, monkeypatch) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text("low 0\noom 0\noom_kill 4\noom_group_kill 0\n")
    monkeypatch.setattr("compare.processes.memory.counters", lambda: [counter])
    early, late = make("torch-eager"), make("torch-eager")
    late.import_libraries()
    late.load()
    counter.write_text("low 0\noom 1\noom_kill 5\noom_group_kill 0\n")
    for worker in (early, late):
        worker._child.process.kill()
    early.import_libraries()
    late.turn(0)
    assert early.timing.error == "killed by SIGKILL: out of memory"
    seen = f"{late.timing.peak_bytes / 1e6:,.0f}"
    assert late.timing.error == f"killed by SIGKILL: out of memory, {seen} MB when last seen"


def helpers(worker: Worker) -> list[psutil.Process]:
    below = psutil.Process(worker._child.process.pid).children(recursive=True)
    return [process for process in below if "a helper" in process.cmdline()]


def test_what_a_runtime_started_is_stopped_weighed_and_ended_with_it(fake_runtimes, make) -> None:
    worker = make("helped")
    worker.import_libraries()
    worker.load()
    assert len(found := helpers(worker)) == 2
    worker.turn(0)
    assert comes_true(lambda: stopped(worker) and all(p.status() == psutil.STATUS_STOPPED for p in found))
    alone = psutil.Process(worker._child.process.pid).memory_info().rss
    assert worker.timing.settled_bytes >= alone + 2 * 2**26
    assert worker.timing.peak_bytes >= alone + 2 * 2**26
    worker.end()
    assert comes_true(lambda: gone(found))


def test_what_a_runtime_started_ends_with_one_that_was_killed(fake_runtimes, make) -> None:
    worker = make("helped")
    worker.import_libraries()
    worker.load()
    found = helpers(worker)
    worker._child.process.kill()
    worker.turn(0)
    assert worker.timing.error == "killed by SIGKILL"
    assert comes_true(lambda: gone(found))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds no process to CPUs")
def test_a_worker_is_bound_to_its_cpus_and_so_is_what_it_starts(fake_runtimes, make) -> None:
    before = os.sched_getaffinity(0)
    worker = make("helped", cpus=[max(before)])
    assert os.sched_getaffinity(0) == before
    worker.import_libraries()
    worker.load()
    for process in [psutil.Process(worker._child.process.pid), *helpers(worker)]:
        for thread in process.threads():
            assert os.sched_getaffinity(thread.id) == {max(before)}
    other = make("onnxruntime")
    assert set(psutil.Process(other._child.process.pid).cpu_affinity()) == before


def test_an_ended_worker_leaves_its_log_only_where_it_failed(fake_runtimes, make, tmp_path: Path) -> None:
    good, bad = make("torch-eager"), make("raises")
    for worker in (good, bad):
        worker.import_libraries()
        worker.load()
        worker.end()
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["1.log"]


def test_the_peak_is_the_workers_own_and_not_its_parents(make) -> None:
    """getrusage gives a child the maximum of the parent that started it: here more than the worker ever needs."""
    ballast = b"x" * 2**30
    worker = make("onnxruntime")
    worker.import_libraries()
    worker.load()
    worker.turn(0)
    assert 2**24 < worker.timing.peak_bytes < 0.9 * 2**30
    assert len(ballast) > worker.timing.peak_bytes

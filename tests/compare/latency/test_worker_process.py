"""Tests of worker processes: their commands, where they run, and that nothing of them remains."""

import gc
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from compare.latency import worker
from compare.latency.series import Series
from compare.latency.worker import stand, timed_calls, turn
from compare.processes.child import ChildFailed
from compare.traces import Trace, write_trace
from tests.helpers.processes import comes_true, gone, stopped


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a thread choose its CPU")
def test_a_round_begins_on_a_cpu_of_its_own_that_may_be_left(monkeypatch: pytest.MonkeyPatch) -> None:
    moves: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 2, 9})
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cpus: moves.append(cpus))
    for number in range(4):
        stand(number)
    assert moves[::2] == [{2}, {4}, {9}, {2}]
    assert moves[1::2] == [{2, 4, 9}] * 4


class Counting:
    """A runtime that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def run(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> dict[str, np.ndarray]:
        self.calls += 1
        return {}

    def facts(self) -> dict[str, str]:
        return {}

    def operators(self, *_: np.ndarray) -> dict[str, int]:
        return {}

    def close(self) -> None: ...


class CountingAndTimed(Counting):
    """A runtime that measures its own calls: the nth takes n nanoseconds."""

    def timed(self, input_ids: np.ndarray, attention_mask: np.ndarray, calls: int) -> list[int]:
        return [n + 1 for n in range(calls)]

    @property
    def last_ns(self) -> int:
        return self.calls

    def step(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> dict[str, np.ndarray]:
        return {}


def test_a_turn_is_timed_by_a_runtime_that_can_do_so(ids_and_mask) -> None:
    plain, own = Counting(), CountingAndTimed()
    assert len(turn(plain, *ids_and_mask, 3)) == 3
    assert plain.calls == 4  # the first one is not timed
    assert turn(own, *ids_and_mask, 3) == [1, 2, 3]
    assert own.calls == 0
    assert timed_calls(own, *ids_and_mask, 3) == [1, 2, 3]


class TimedAlone(Counting):
    """A runtime that measures its own calls, and does not decode."""

    def timed(self, input_ids: np.ndarray, attention_mask: np.ndarray, calls: int) -> list[int]:
        return [7] * calls


def test_a_single_call_is_timed_by_a_runtime_that_can_do_so(ids_and_mask) -> None:
    assert timed_calls(TimedAlone(), *ids_and_mask, 1) == [7]


class Alone(Counting):
    """A runtime in a circle of references, which fails if another one is in memory when it is loaded."""

    alive = 0
    closed = 0

    def __init__(self, folder: Path, *, threads: int, graph: str) -> None:
        super().__init__()
        assert not Alone.alive
        Alone.alive += 1
        self.itself = self
        self.loaded = graph, threads

    def __del__(self) -> None:
        Alone.alive -= 1

    def facts(self) -> dict[str, str]:
        return {"loaded": repr(self.loaded)}

    def close(self) -> None:
        Alone.closed += 1


def test_two_models_are_never_in_memory_at_once(monkeypatch: pytest.MonkeyPatch, ids_and_mask, tmp_path: Path) -> None:
    tensors = dict(zip(("input_ids", "attention_mask"), ids_and_mask, strict=True))
    for name, threads in (("own", 1), ("2 threads", 2)):
        write_trace(tmp_path / "variants" / name, tensors, {"threads": threads})
    answers = []
    lines = ("load inspect", "load deploy-last", "rerun own", "rerun 2 threads", "load decode")
    monkeypatch.setattr(worker, "limit_or_runtime", lambda _: SimpleNamespace(load_class=lambda: Alone))
    monkeypatch.setattr(worker, "questions", lambda: ((line, answers.append) for line in lines))
    folders = {"inputs": tmp_path / "variants" / "own", "variants": tmp_path / "variants", "out": tmp_path / "out"}
    try:
        worker._work({"runtime": "alone", "model": tmp_path, "threads": 1, **folders})
    finally:
        gc.unfreeze()
    loaded = [answer["facts"]["loaded"] for answer in answers if "facts" in answer]
    assert loaded == ["('inspect', 1)", "('deploy-last', 1)", "('decode', 1)"]
    assert Alone.closed == 3
    assert answers[2:4] == [{"error": None}] * 2


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("turn 3", "ValueError: no graph is loaded; send load GRAPH first"),
        ("load", "TypeError: _Worker.load() missing 1 required positional argument: 'graph'"),
        (
            "wait 3",
            "ValueError: unknown command 'wait 3'; the commands are import, load GRAPH, stand N, call, turn N, ",
        ),
    ],
)
def test_a_command_that_cannot_be_answered_ends_the_worker(make, line: str, error: str) -> None:
    series = make("onnxruntime")
    with pytest.raises(ChildFailed, match=f"^{re.escape(error)}"):
        series.process.ask(line)


def test_after_the_rounds_a_worker_runs_other_inputs(make, job, ids_and_mask, tmp_path: Path) -> None:
    ids, mask = (x[:, :6] for x in ids_and_mask)
    write_trace(tmp_path / "variants" / "first half", {"input_ids": ids, "attention_mask": mask}, {"threads": 1})
    write_trace(tmp_path / "variants" / "2 threads", {"input_ids": ids, "attention_mask": mask}, {"threads": 2})
    series = make("onnxruntime")
    series.import_libraries()
    series.load()
    counted = series.process.operators()
    assert counted["Softmax"] == 2
    for name in ("first half", "2 threads"):
        assert series.process.rerun(name) is None
        assert Trace(tmp_path / "self" / name)["logits"].shape == (1, 6, 300)
    assert stopped(series)


def test_a_variant_that_fails_leaves_what_was_timed(fake_runtimes, make, ids_and_mask, tmp_path: Path) -> None:
    ids, mask = ids_and_mask[0], np.ones_like(ids_and_mask[1])
    write_trace(tmp_path / "inputs", {"input_ids": ids, "attention_mask": mask})
    for name, length, seen in (("plain", 12, 1), ("padding", 12, 0), ("short", 4, 1)):
        tensors = {"input_ids": ids[:, :length], "attention_mask": seen * mask[:, :length]}
        write_trace(tmp_path / "variants" / name, tensors, {"threads": 1})
    series = make("inconsistent")
    series.import_libraries()
    series.load()
    series.turn(0)
    assert series.process.rerun("plain") is None
    assert series.process.rerun("padding") == "ValueError: no padding"
    assert series.process.rerun("short") == series.process.rerun("plain") == "killed by SIGKILL"
    assert series.process.operators() == {}
    assert series.error is None
    assert series.turns[0]


def helpers(series: Series) -> list[psutil.Process]:
    below = psutil.Process(series.process.pid).children(recursive=True)
    return [process for process in below if "a helper" in process.cmdline()]


def test_what_a_runtime_started_is_stopped_weighed_and_ended_with_it(fake_runtimes, make) -> None:
    series = make("helped")
    series.import_libraries()
    series.load()
    assert len(found := helpers(series)) == 2
    series.turn(0)
    assert comes_true(lambda: stopped(series) and all(p.status() == psutil.STATUS_STOPPED for p in found))
    alone = psutil.Process(series.process.pid).memory_info().rss
    assert series.settled_bytes >= alone + 2 * 2**26
    assert series.peak_bytes >= alone + 2 * 2**26
    series.process.end()
    assert comes_true(lambda: gone(found))


def test_what_a_runtime_started_ends_with_one_that_was_killed(fake_runtimes, make) -> None:
    series = make("helped")
    series.import_libraries()
    series.load()
    found = helpers(series)
    psutil.Process(series.process.pid).kill()
    series.turn(0)
    assert series.error == "killed by SIGKILL"
    assert comes_true(lambda: gone(found))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds no process to CPUs")
def test_a_worker_is_bound_to_its_cpus_and_so_is_what_it_starts(fake_runtimes, make) -> None:
    before = os.sched_getaffinity(0)
    series = make("helped", cpus=[max(before)])
    assert os.sched_getaffinity(0) == before
    series.import_libraries()
    series.load()
    for process in [psutil.Process(series.process.pid), *helpers(series)]:
        for thread in process.threads():
            assert os.sched_getaffinity(thread.id) == {max(before)}
    other = make("onnxruntime")
    assert set(psutil.Process(other.process.pid).cpu_affinity()) == before


def test_an_ended_worker_leaves_its_log_only_where_it_failed(fake_runtimes, make, tmp_path: Path) -> None:
    good, bad = make("torch-eager"), make("raises")
    for series in (good, bad):
        series.import_libraries()
        series.load()
        series.process.end()
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["1.log"]


def test_the_peak_is_the_workers_own_and_not_its_parents(make) -> None:
    """getrusage would report the maximum of the parent, which here is more than the series needs."""
    ballast = b"x" * 2**30
    series = make("onnxruntime")
    series.import_libraries()
    series.load()
    series.turn(0)
    assert 2**24 < series.peak_bytes < 0.9 * 2**30
    assert len(ballast) > series.peak_bytes

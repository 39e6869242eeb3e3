"""Tests of pairs of rounds: which processes are awake, their order, and that rows do not change."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from compare.latency.interference import Pair, run_pairs
from compare.latency.machine_limits import COMPUTE
from compare.latency.series import Role, Series
from compare.latency.statistics import paired_ratio
from compare.latency.worker_process import WorkerProcess
from compare.processes.child import ChildFailed
from tests.helpers.processes import comes_true, stopped
from tests.helpers.series import series_of


def status(process: WorkerProcess) -> str:
    return psutil.Process(process.pid).status()


def loaded(make: Callable[..., Series], *names: str) -> list[Series]:
    many = [make(name) for name in names]
    for series in many:
        series.import_libraries()
        series.load()
    return many


def pair_on(row: Series) -> Pair:
    return Pair(row.further(), row.further())


class Recorded:
    """A stand-in for a worker process, for tests of the order and of which processes are awake."""

    def __init__(self, name: str, calls: list[str], awake: set[str], *, dies_in: int = 99) -> None:
        self.name, self.max_load = name, 1.0
        self.calls, self.awake, self.left = calls, awake, dies_in

    def ask(self, stand: str, turn: str) -> dict[str, list[int]]:
        assert stand.startswith("stand ")
        assert turn == "turn 2"
        self.calls.append(f"{self.name} with {''.join(sorted(self.awake)) or 'nobody'}")
        self.left -= 1
        if self.left < 0:
            raise ChildFailed("killed by SIGKILL")
        return {"ns": [20 if self.awake else 10]}

    @contextmanager
    def left_awake(self):
        self.awake.add(self.name)
        try:
            yield
        finally:
            self.awake.remove(self.name)


def pairs_of(*names: str, seed: int = 0, first: int = 0, **more) -> tuple[list[Pair], list[str], set[str]]:
    calls: list[str] = []
    awake: set[str] = set()
    processes = [Recorded(name, calls, awake, **more.get(name, {})) for name in names]
    pairs = [pair_on(Series(process, Role.RUNTIME, "deploy", line="turn 2")) for process in processes]  # type: ignore[arg-type]
    assert run_pairs(pairs, seconds=1e-6, seed=seed, first=first, least=3) == first + 3  # however short the time
    return pairs, calls, awake


def test_both_rounds_of_a_pair_have_one_order_and_the_first_of_them_alternates() -> None:
    pairs, calls, awake = pairs_of("a", "b", "c", seed=7)
    assert not awake
    rounds = [calls[place : place + 3] for place in range(0, 18, 3)]
    assert [{call.split()[-1] for call in turns} for turns in rounds] == [
        *({"nobody"}, {"abc"}, {"abc"}, {"nobody"}, {"nobody"}, {"abc"})
    ]
    orders = ["".join(call[0] for call in turns) for turns in rounds]
    assert orders[::2] == orders[1::2]
    assert len(set(orders[::2])) > 1
    assert calls == pairs_of("a", "b", "c", seed=7)[1]
    for pair in pairs:
        assert pair.alone.turns == {0: [10], 1: [10], 2: [10]}
        assert pair.beside.turns == {0: [20], 1: [20], 2: [20]}
        assert paired_ratio(pair.beside.turns, pair.alone.turns, 0).estimate == pytest.approx(2)


def test_pairs_are_numbered_from_the_first_on() -> None:
    pairs, _, _ = pairs_of("a", "b", first=5)
    assert list(pairs[0].alone.turns) == list(pairs[1].beside.turns) == [5, 6, 7]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_process_that_dies_has_no_further_pairs_and_none_stays_awake(turns: int) -> None:
    (lost, other), calls, awake = pairs_of("a", "b", a={"dies_in": turns})
    assert not awake
    assert lost.error == "killed by SIGKILL"
    assert sum(map(len, (lost.alone.turns, lost.beside.turns))) == turns
    assert len(other.alone.turns) == len(other.beside.turns) == 3
    assert sum(call.startswith("a") for call in calls) <= turns + 2


def test_there_are_no_pairs_without_processes() -> None:
    pair = pair_on(series_of("a", error="no"))
    assert run_pairs([pair], seconds=600, seed=0, first=2) == 2
    assert pair.error == "no"


def test_all_are_awake_together_while_the_limits_sleep(make, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = loaded(make, "torch-eager", "onnxruntime")
    (limit,) = loaded(make, COMPUTE.name)
    for row in rows:
        row.turn(0)
    before = [(dict(row.turns), row.peak_bytes) for row in rows]
    seen: list[str] = []
    plain = WorkerProcess.ask

    def watched(self: WorkerProcess, *lines: str) -> dict[str, Any]:
        (other,) = (row.process for row in rows if row.process is not self)
        asleep = not other._left_awake
        assert comes_true(lambda: (status(other) == psutil.STATUS_STOPPED) == asleep)  # a signal takes a moment
        found = plain(self, *lines)
        assert (status(other) == psutil.STATUS_STOPPED) == asleep
        assert status(limit.process) == psutil.STATUS_STOPPED
        seen.append("alone" if asleep else "beside")
        return found

    monkeypatch.setattr(WorkerProcess, "ask", watched)
    run_pairs([pair_on(row) for row in rows], seconds=0.01, seed=0, least=3)
    assert seen == ["alone"] * 2 + ["beside"] * 4 + ["alone"] * 4 + ["beside"] * 2
    assert all(map(stopped, [*rows, limit]))
    assert before == [(row.turns, row.peak_bytes) for row in rows]


def test_a_process_that_is_killed_leaves_the_others_suspended(make, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, lost = loaded(make, "torch-eager", "onnxruntime")
    for row in (kept, lost):
        row.turn(0)
    plain = WorkerProcess.ask

    def killed(self: WorkerProcess, *lines: str) -> dict[str, Any]:
        if self is lost.process and self._left_awake:
            self._child.process.kill()
        return plain(self, *lines)

    monkeypatch.setattr(WorkerProcess, "ask", killed)
    pairs = [pair_on(kept), pair_on(lost)]
    run_pairs(pairs, seconds=0.01, seed=0, least=3)
    assert stopped(kept)
    assert [pair.error for pair in pairs] == [None, "killed by SIGKILL"]
    assert len(pairs[0].beside.turns) == 3
    assert lost.error is None
    assert list(lost.turns) == [0]

"""Turns beside those of the rows: who is awake in them, in which order, and that the rows never see them."""

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from compare.latency.interference import Aside, Pair, run_pairs
from compare.latency.machine_limits import COMPUTE
from compare.latency.statistics import paired_ratio
from compare.latency.worker_process import Timing, Worker
from compare.processes.child import ChildFailed
from compare.traces import write_trace
from tests.compare.latency.test_rounds import stopped
from tests.compare.processes.test_tree import comes_true


def status(worker: Worker) -> str:
    return psutil.Process(worker._child.process.pid).status()


def loaded(make: Callable[..., Worker], *names: str) -> list[Worker]:
    workers = [make(name) for name in names]
    for worker in workers:
        worker.import_libraries()
        worker.load()
    return workers


class Recorded:
    """Stands in for a worker where only the order is looked at, and who is left awake."""

    def __init__(self, name: str, calls: list[str], awake: set[str], *, dies_in: int = 99) -> None:
        self.timing, self.alive, self.usual_turn, self.max_load = Timing(name), True, "turn 2", 1.0
        self.calls, self.awake, self.left = calls, awake, dies_in

    def tell(self, stand: str, turn: str) -> dict[str, list[int]]:
        assert stand.startswith("stand ")
        assert turn == self.usual_turn
        self.calls.append(f"{self.timing.runtime} with {''.join(sorted(self.awake)) or 'nobody'}")
        self.left -= 1
        if self.left < 0:
            raise ChildFailed("killed by SIGKILL")
        return {"ns": [20 if self.awake else 10]}

    @contextmanager
    def left_awake(self):
        self.awake.add(self.timing.runtime)
        try:
            yield
        finally:
            self.awake.remove(self.timing.runtime)


def pairs_of(*names: str, seed: int = 0, first: int = 0, **more) -> tuple[list[Pair], list[str], set[str]]:
    calls: list[str] = []
    awake: set[str] = set()
    pairs = [Pair(Recorded(name, calls, awake, **more.get(name, {}))) for name in names]  # type: ignore[arg-type]
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
        assert pair.alone.timing.turns == {0: [10], 1: [10], 2: [10]}
        assert pair.beside.timing.turns == {0: [20], 1: [20], 2: [20]}
        assert paired_ratio(pair.beside.timing.turns, pair.alone.timing.turns, 0).estimate == pytest.approx(2)
        assert pair.worker.timing.turns == {}


def test_pairs_are_numbered_from_the_first_on() -> None:
    pairs, _, _ = pairs_of("a", "b", first=5)
    assert list(pairs[0].alone.timing.turns) == list(pairs[1].beside.timing.turns) == [5, 6, 7]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_one_that_dies_has_no_further_pairs_and_nobody_stays_awake(turns: int) -> None:
    (lost, other), calls, awake = pairs_of("a", "b", a={"dies_in": turns})
    assert not awake
    assert lost.error == "killed by SIGKILL"
    assert lost.worker.timing.error is None
    assert sum(map(len, (lost.alone.timing.turns, lost.beside.timing.turns))) == turns
    assert len(other.alone.timing.turns) == len(other.beside.timing.turns) == 3
    assert sum(call.startswith("a") for call in calls) <= turns + 2


def test_there_are_no_pairs_of_nobody() -> None:
    lost = SimpleNamespace(timing=Timing("a", error="no"), alive=False)
    pair = Pair(lost)  # type: ignore[arg-type]
    assert run_pairs([pair], seconds=600, seed=0, first=2) == 2
    assert pair.error == "no"


def test_beside_each_other_all_are_left_awake_and_the_limits_sleep(make, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = loaded(make, "torch-eager", "onnxruntime")
    (limit,) = loaded(make, COMPUTE.name)
    for worker in workers:
        worker.turn(0)
    rows = [(dict(worker.timing.turns), worker.timing.peak_bytes) for worker in workers]
    seen: list[str] = []
    plain = Worker.tell

    def watched(self: Worker, *lines: str) -> dict[str, Any]:
        (other,) = (worker for worker in workers if worker is not self)
        asleep = not other._left_awake
        assert comes_true(lambda: (status(other) == psutil.STATUS_STOPPED) == asleep)  # a signal takes a moment
        found = plain(self, *lines)
        assert (status(other) == psutil.STATUS_STOPPED) == asleep
        assert status(limit) == psutil.STATUS_STOPPED
        seen.append("alone" if asleep else "beside")
        return found

    monkeypatch.setattr(Worker, "tell", watched)
    run_pairs([Pair(worker) for worker in workers], seconds=0.01, seed=0, least=3)
    assert seen == ["alone"] * 2 + ["beside"] * 4 + ["alone"] * 4 + ["beside"] * 2
    assert all(map(stopped, [*workers, limit]))
    assert rows == [(worker.timing.turns, worker.timing.peak_bytes) for worker in workers]


def test_one_that_is_killed_beside_the_others_leaves_them_suspended(make, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = loaded(make, "torch-eager", "onnxruntime")
    for worker in workers:
        worker.turn(0)
    plain = Worker.tell

    def killed(self: Worker, *lines: str) -> dict[str, Any]:
        if self is workers[1] and self._left_awake:
            self._child.process.kill()
        return plain(self, *lines)

    monkeypatch.setattr(Worker, "tell", killed)
    pairs = [Pair(worker) for worker in workers]
    run_pairs(pairs, seconds=0.01, seed=0, least=3)
    assert stopped(workers[0])
    assert pairs[1].error == "killed by SIGKILL"
    assert pairs[0].error is None
    assert len(pairs[0].beside.timing.turns) == 3
    assert workers[1].timing.error is None
    assert list(workers[1].timing.turns) == [0]


def inputs(folder: Path, length: int, *, padding: int = 0, batch: int = 1) -> Path:
    ids = np.random.default_rng(length).integers(0, 256, (batch, length))
    mask = np.ones_like(ids)
    mask[:, length - padding :] = 0 if padding else 1
    name = folder / f"{length} {padding} {batch}"  # a space in it, as in a name of a shape
    write_trace(name, {"input_ids": ids, "attention_mask": mask})
    return name


def test_turns_on_other_inputs_are_not_those_of_the_row(make, tmp_path: Path) -> None:
    (worker,) = loaded(make, "onnxruntime")
    worker.turn(0)
    row = dict(worker.timing.turns), worker.timing.peak_bytes, worker.usual_turn
    first, second = Aside(worker), Aside(worker)
    for aside, folder in ((first, inputs(tmp_path, 8)), (second, inputs(tmp_path, 64, batch=48))):
        aside.switch_inputs(folder)
        assert stopped(worker)
        aside.turn(3)
    assert first.timing.turns.keys() == second.timing.turns.keys() == {3}
    assert len(first.timing.turns[3]) > len(second.timing.turns[3])  # each with as many calls as fill a turn of its own
    assert (worker.timing.turns, worker.timing.peak_bytes, worker.usual_turn) == row
    assert worker.switch_inputs(tmp_path / "inputs") is None
    worker.turn(1)
    assert len(worker.timing.turns[1]) == len(row[0][0])
    assert worker.timing.peak_bytes == row[1]  # what the other inputs needed is not the row's
    assert first.timing.turns.keys() == {3}


def test_one_that_cannot_take_a_shape_goes_on_with_others_for_as_long_as_it_lives(
    fake_runtimes, make, job, ids_and_mask, tmp_path: Path
) -> None:
    write_trace(tmp_path / "inputs", {"input_ids": ids_and_mask[0], "attention_mask": np.ones_like(ids_and_mask[1])})
    (worker,) = loaded(make, "moody")
    worker.turn(0)
    folders = [inputs(tmp_path, 12, padding=3), inputs(tmp_path, 16), inputs(tmp_path, 4), inputs(tmp_path, 20)]
    asides = [Aside(worker) for _ in folders]
    for aside, folder in zip(asides, folders, strict=True):
        aside.switch_inputs(folder)
        aside.turn(0)
    errors = [aside.timing.error for aside in asides]
    assert errors == ["ValueError: no padding", None, "killed by SIGKILL", "killed by SIGKILL"]
    assert [bool(aside.timing.turns) for aside in asides] == [False, True, False, False]
    assert worker.timing.error is None
    assert list(worker.timing.turns) == [0]

"""Shifts: as many workers at a time as memory holds, the baseline in each, and none parted that are held together."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from compare import machine
from compare.latency.worker_process import Timing, Worker
from compare.pipeline import latency_stage, recheck_stage
from compare.pipeline.compare_model import compare
from compare.pipeline.context import BESIDE
from compare.pipeline.latency_stage import shifts
from compare.pipeline.settings import Settings
from compare.report import wording

GB = 10**9


class Fake:
    """Stands in for a worker: large once it is loaded."""

    def __init__(self, name: str, resident: list[str], graph: str = "deploy", again: bool = False, size: int = GB):
        self.timing = Timing(name, again, graph)  # type: ignore[arg-type]
        self.name = f"{name}/{graph}/{again}"
        self.resident, self.size = resident, size

    @property
    def alive(self) -> bool:
        return self.timing.error is None

    def load(self) -> None:
        if self.size:
            self.timing.peak_bytes = self.timing.settled_bytes = self.size
            self.resident.append(self.name)
        else:
            self.give_up("too large")

    def give_up(self, why: str) -> None:
        self.timing.error = why

    def end(self) -> None:
        if self.name in self.resident:
            self.resident.remove(self.name)


def shifts_of(*names: str, memory: float | None, failed: str = "", sizes: dict[str, int] | None = None) -> list:
    """The rows of each shift beside the pair, with how many were resident while it lasted."""
    resident: list[str] = []
    workers = [Fake("eager", resident), Fake("eager", resident, again=True)]
    workers += [Fake(name, resident, size=(sizes or {}).get(name, GB)) for name in names]
    if "onnxruntime" in names:
        workers.append(Fake("onnxruntime", resident, graph="inspect"))
    settings = Settings(memory=memory)
    run = SimpleNamespace(settings=settings, phase=lambda _: nullcontext())
    found, shares = [], []
    for shift in shifts(run, workers, {failed}):  # type: ignore[arg-type]
        assert [worker.name for worker in shift.workers[:2]] == ["eager/deploy/False", "eager/deploy/True"]
        assert shift.workers[2:] == shift.late
        assert set(resident) == {worker.name for worker in shift.workers if worker.alive}
        found.append([worker.timing.runtime for worker in shift.late])
        shares.append(shift.share)
    # The last are kept: some go on to decode.
    assert set(resident) == {worker.name for worker in shift.workers if worker.alive}
    assert sum(shares) == pytest.approx(1)
    return found


def test_all_are_in_one_shift_where_memory_holds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency_stage, "available_bytes", lambda: 100 * GB)
    assert shifts_of("a", "b", "c", memory=None) == [["a", "b", "c"]]
    assert shifts_of(memory=None) == [[]]


def test_what_is_free_decides_where_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    free = iter([1.3 * GB, 1.1 * GB, 1.1 * GB])  # beside one loaded in each shift, and after three of them
    monkeypatch.setattr(latency_stage, "available_bytes", lambda: next(free))
    assert shifts_of("a", "b", "c", "d", memory=None) == [["a", "b"], ["c"], ["d"]]


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (0.001, [["a"], ["b"], ["c"], ["d"]]),
        (4.1, [["a"], ["b"], ["c"], ["d"]]),
        (4.3, [["a", "b"], ["c", "d"]]),
        (5.3, [["a", "b", "c"], ["d"]]),
        (9.0, [["a", "b", "c", "d"]]),
    ],
)
def test_a_shift_holds_as_many_as_were_allowed(memory: float, expected: list, monkeypatch) -> None:
    """Each takes 1 GB, the pair 2, and one more is taken to need 1.2."""
    monkeypatch.setattr(latency_stage, "available_bytes", lambda: 100 * GB)
    assert shifts_of("a", "b", "c", "d", memory=memory) == expected


def test_graphs_that_are_held_against_each_other_share_a_shift() -> None:
    found = shifts_of("a", "onnxruntime", BESIDE, "b", memory=0.001)
    assert found == [["a"], ["onnxruntime", BESIDE, "onnxruntime"], ["b"]]


def test_the_limits_are_in_every_shift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency_stage, "available_bytes", lambda: 0)
    names = ["eager", "eager", "a", "b"]
    workers = [Fake(name, [], again=place == 1) for place, name in enumerate(names)]
    workers.append(Fake("matrix-product", [], graph="limit"))
    settings = Settings(memory=None)
    run = SimpleNamespace(settings=settings, phase=lambda _: nullcontext())
    found = [[worker.timing.runtime for worker in shift.workers] for shift in shifts(run, workers, set())]  # type: ignore[arg-type]
    assert found == [["eager", "eager", "matrix-product", name] for name in "ab"]


def test_what_decides_nothing_has_its_turn_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict = {}
    monkeypatch.setattr(latency_stage, "run_rounds", lambda workers, **how: told.update(how) or 7)
    graphs = ("deploy", "inspect", "deploy-last", "limit")
    workers = [Fake("onnxruntime", [], graph) for graph in graphs]
    run = SimpleNamespace(settings=Settings(), phase=lambda _: nullcontext(), say=lambda _: None)
    shift = latency_stage.Shift(workers, [], share=0.5)  # type: ignore[arg-type]
    assert latency_stage.take_rounds(run, shift, seconds=8, first=3) == 7  # type: ignore[arg-type]
    assert [worker.timing.graph for worker in told["seldom"]] == ["inspect", "limit"]
    assert (told["first"], told["seconds"]) == (3, 4)


def test_graphs_that_no_runtime_was_timed_with_have_no_row() -> None:
    workers = [Fake("eager", []), Fake("sdpa", [])]
    assert recheck_stage.observer(SimpleNamespace(), workers) is None  # type: ignore[arg-type]
    assert recheck_stage.last_position(SimpleNamespace(), workers, workers[0]) is None  # type: ignore[arg-type]


def test_one_that_failed_takes_no_place() -> None:
    assert shifts_of("a", "b", "c", memory=0.001, failed="b") == [["a"], ["c"]]
    assert shifts_of("a", "b", "c", memory=0.001, sizes={"a": 0}) == [["a", "b"], ["c"]]


def test_a_comparison_in_shifts_pairs_every_row_with_the_baseline(
    entry, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each worker is bound to one CPU, as many as it has threads."""
    cpus, bound, load = machine.usable_cpus(), [], Worker.load
    assert cpus is not None

    def watched(worker: Worker) -> None:
        bound.append(psutil.Process(worker._child.process.pid).cpu_affinity())
        load(worker)

    monkeypatch.setattr(Worker, "load", watched)
    names = ["torch-sdpa", "onnxruntime"]
    limits = Settings(text="To be", runtimes=names, seconds=0.2, min_rounds=6, threads=1, memory=0.001, pin=True)
    report = compare(str(tiny_folder), replace(limits, out=tmp_path / "out"))
    assert len(bound) > 10  # the limits are workers too, and those that decode
    assert all(cpu == cpus[:1] for cpu in bound)
    assert report.environment.cpus == cpus[:1]
    assert report.shifts == 2
    baseline, again, sdpa, graph = report.latency
    assert list(baseline.turns) == list(again.turns) == list(range(report.rounds))
    assert not sdpa.turns.keys() & graph.turns.keys()
    assert [*sdpa.turns, *graph.turns] == list(baseline.turns)
    assert all(row.ratio is not None and row.settled_bytes for row in (again, sdpa, graph))
    assert report.observer is not None
    assert report.observer.ratio is not None
    assert report.observer.turns
    assert report.observer.turns.keys() <= graph.turns.keys()
    assert [row.runtime for row in report.self_gaps] == ["torch-eager", *names]
    assert all("again" in row.gaps for row in report.self_gaps)
    assert all(("torch-eager" in row.gaps) == (row.runtime != "torch-eager") for row in report.self_gaps)
    assert any(line.startswith("Latency was taken in 2 shifts") for line in wording.further_sentences(report))

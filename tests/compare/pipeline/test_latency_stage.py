"""Tests of the latency stage: auxiliary series, series without a row, and a comparison in shifts."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from compare import machine
from compare.latency.series import Role, Series
from compare.latency.shifts import Shift
from compare.numerics.diagnostics.rerun_variants import make_variants
from compare.pipeline import latency_stage, recheck_stage
from compare.pipeline.compare_model import compare
from compare.pipeline.context import Run
from compare.pipeline.settings import LatencySettings, Settings
from compare.pipeline.shapes import Shape
from compare.pipeline.stages import ROUNDS
from compare.report.sections import latency
from compare.traces import write_trace
from tests.helpers.progress import Recorder
from tests.helpers.series import series_of


def test_what_decides_nothing_has_its_turn_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict = {}
    monkeypatch.setattr(latency_stage, "run_rounds", lambda series, **how: told.update(how) or 7)
    late = [series_of("onnxruntime", role) for role in (Role.RUNTIME, Role.OBSERVER, Role.LAST_POSITION)]
    limit = series_of("matrix-product", Role.LIMIT)
    run = SimpleNamespace(latency=LatencySettings(), phase=lambda _: nullcontext(), progress=Recorder())
    shift = Shift([limit], late, share=0.5)
    assert latency_stage.take_rounds(run, shift, 8, first=3, stage=ROUNDS, shown=late) == 7  # type: ignore[arg-type]
    assert {series.role for series in told["seldom"]} == {Role.OBSERVER, Role.LIMIT}
    assert (told["first"], told["seconds"]) == (3, 4)


def test_what_is_too_slow_has_rounds_of_its_own_with_the_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list = []

    def run_rounds(series: list[Series], *, first: int, seconds: float, least: int, **_: object) -> int:
        taken.append(([(each.runtime, each.role) for each in series], first, seconds, least))
        return first + (5 if len(taken) == 1 else 1)

    monkeypatch.setattr(latency_stage, "run_rounds", run_rounds)
    residents = [series_of("torch-eager", role, turn_s=0.4) for role in (Role.BASELINE, Role.CONTROL)]
    residents.append(series_of("matrix-product", Role.LIMIT, turn_s=0.1))
    late = [series_of("onnxruntime", turn_s=0.2), series_of("torch-fp16", turn_s=14.0)]
    progress = Recorder()
    run = SimpleNamespace(latency=LatencySettings(min_rounds=2), phase=lambda _: nullcontext(), progress=progress)
    shift = Shift(residents, late, share=0.5)
    assert latency_stage.take_rounds(run, shift, 40, first=3, stage=ROUNDS, shown=late) == 9  # type: ignore[arg-type]
    everyone = [(each.runtime, each.role) for each in shift.series]
    slow = ("torch-fp16", Role.RUNTIME)
    assert taken == [
        ([each for each in everyone if each != slow], 3, 15, 2),
        ([("torch-eager", Role.BASELINE), ("matrix-product", Role.LIMIT), slow], 8, 5, 2),
    ]


def test_what_is_too_slow_is_in_neither_the_grid_nor_interference(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, list[str]]] = []

    def measures(what: str):
        return lambda rows, **_: asked.append((what, [row.runtime for row in rows]))

    rows = [series_of("torch-eager", Role.BASELINE), series_of("torch-fp16", too_slow=True), series_of("onnxruntime")]
    for row in rows:
        row.process.switch_inputs = lambda _, name=row.runtime: asked.append(("back", [name]))  # type: ignore[method-assign]
    run = SimpleNamespace(
        latency=LatencySettings(), phase=lambda _: nullcontext(), progress=Recorder(), input_folder=Path("inputs")
    )
    shift = Shift(rows[:1], rows[1:], share=1.0)
    latency_stage.take_interference(run, SimpleNamespace(measure=measures("interference")), shift, 1.0)  # type: ignore[arg-type]
    cells = {Shape(8, 1): SimpleNamespace(measure=measures("grid"))}
    latency_stage.take_grid(run, cells, shift, 1.0)  # type: ignore[arg-type]
    quick = ["torch-eager", "onnxruntime"]
    assert asked == [("interference", quick), ("grid", quick), *(("back", [name]) for name in quick)]


def test_what_is_too_slow_only_repeats_the_plain_rerun(tmp_path: Path) -> None:
    ids = np.zeros((1, 4), np.int64)
    variants = list(make_variants(ids, np.ones_like(ids), threads=2))
    run = SimpleNamespace(
        positions=None,
        inputs=SimpleNamespace(attention_mask=np.ones_like(ids)),
        self_folder=lambda _: tmp_path,
        output_name="logits",
    )
    asked: list[str] = []

    def rerun(name: str) -> None:
        asked.append(name)
        write_trace(tmp_path / name, {"logits": np.zeros((1, 4, 3), np.float32)})

    series = series_of("torch-fp16", too_slow=True, first_call_s=7.12)
    series.process.rerun = rerun  # type: ignore[method-assign, assignment]
    row = recheck_stage.rerun(run, series, variants)  # type: ignore[arg-type]
    assert asked == ["plain", "again"]
    assert row.gaps == {"again": 0.0}
    assert list(row.missing) == [variant.name for variant in variants[2:]]
    assert set(row.missing.values()) == {"its first call took 7.1 s, and the rerun is not judged"}


@pytest.mark.parametrize(("timed", "given", "seconds"), [(7, None, 30), (20, None, 80), (20, 7.0, 7)])
def test_the_time_limit_grows_with_the_runtimes_unless_it_is_given(
    timed: int, given: float | None, seconds: float
) -> None:
    hybrid, absent = SimpleNamespace(hybrid=True), SimpleNamespace(hybrid=False)
    rows = [SimpleNamespace(ready=True, spec=SimpleNamespace(hybrid=False))] * timed
    rows += [SimpleNamespace(ready=True, spec=hybrid), SimpleNamespace(ready=False, spec=absent)] * 5
    run = SimpleNamespace(rows=rows, latency=LatencySettings(time=given))
    assert Run.time.fget(run) == seconds  # type: ignore[attr-defined]


def test_graphs_that_no_runtime_was_timed_with_have_no_row() -> None:
    series = [series_of("eager", Role.BASELINE), series_of("sdpa")]
    assert recheck_stage.observer(SimpleNamespace(), series) is None  # type: ignore[arg-type]
    assert recheck_stage.last_position(SimpleNamespace(), series) is None  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_comparison_in_shifts_pairs_every_row_with_the_baseline(
    entry, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each worker is also pinned to one CPU, because it has one thread."""
    cpus, bound, load = machine.usable_cpus(), [], Series.load
    assert cpus is not None

    def watched(series: Series) -> None:
        bound.append(psutil.Process(series.process.pid).cpu_affinity())
        load(series)

    monkeypatch.setattr(Series, "load", watched)
    names = ["torch-sdpa", "onnxruntime"]
    limits = {"time": 0.2, "min_rounds": 6, "threads": 1, "memory": 0.01, "pin": True, "thorough": True}
    report = compare(str(tiny_folder), Settings.of(text="To be", runtimes=names, out=tmp_path / "out", **limits))
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
    assert any(line.startswith("Latency was measured in 2 shifts") for line in latency.sentences(report))

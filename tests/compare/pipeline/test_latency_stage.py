"""Tests of the latency stage: auxiliary series, series without a row, and a comparison in shifts."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from compare import machine
from compare.latency.series import Role, Series
from compare.latency.shifts import Shift
from compare.pipeline import latency_stage, recheck_stage
from compare.pipeline.compare_model import compare
from compare.pipeline.settings import LatencySettings, Settings
from compare.pipeline.stages import ROUNDS
from compare.report.sections import latency
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


def test_graphs_that_no_runtime_was_timed_with_have_no_row() -> None:
    series = [series_of("eager", Role.BASELINE), series_of("sdpa")]
    assert recheck_stage.observer(SimpleNamespace(), series) is None  # type: ignore[arg-type]
    assert recheck_stage.last_position(SimpleNamespace(), series) is None  # type: ignore[arg-type]


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
    limits = {"time": 0.2, "min_rounds": 6, "threads": 1, "memory": 0.001, "pin": True, "thorough": True}
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

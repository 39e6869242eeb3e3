"""Comparisons of a tiny model that succeed: every row, gap and sample of the report, and what a live model changes."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from compare.diff.compare import diff
from compare.latency.rounds import SELDOM
from compare.pipeline import prepare, rows
from compare.pipeline.compare_model import compare
from compare.pipeline.settings import Settings
from compare.report.render.markdown import to_markdown
from compare.report.render.plots.figures import draw_figures
from compare.report.schema import Report
from compare.runtimes.registry import BASELINE, BUILT_IN
from compare.traces import Trace
from export import models, sources
from export.cache import Entry
from export.taps import tap_names
from tests.helpers.reports import COMPARED_TEXT
from tests.helpers.settings import small

#: The runtimes that have a row of gaps; one that only decodes has no tensors to compare.
COMPARED = [spec for spec in BUILT_IN if spec.default and "inspect" in spec.graphs]
INSTALLED = [spec for spec in COMPARED if not spec.missing()]

#: What a runtime says that it exposes -> the tensors.
EXPOSED = {
    "every tap": tap_names(2),
    "no attention": tap_names(2, probabilities=False),
    "logits": ["logits"],
}


def test_a_runtime_that_is_not_installed_is_a_row_that_says_what_installs_it(report) -> None:
    assert [runtime.name for runtime in report.runtimes] == [spec.name for spec in COMPARED]
    for runtime, spec in zip(report.runtimes, COMPARED, strict=True):
        assert (runtime.error is None) == (spec in INSTALLED)
        assert runtime.error is None or runtime.error.endswith(f"(not installed); install with: {spec.install}")


def test_every_runtime_is_a_row_with_every_tensor(report) -> None:
    rows = {runtime.name: runtime for runtime in report.runtimes}
    for spec in INSTALLED:
        runtime = rows[spec.name]
        assert [gap.tensor for gap in runtime.gaps] == tap_names(2)
        assert [gap.tensor for gap in runtime.gaps if gap.exposed] == EXPOSED[spec.exposes]
        assert report.beyond(runtime) is None
        assert runtime.verdict.kind == "rounding"
        assert 0 < runtime.largest("logits") < 1e-4
        assert runtime.above_diagonal() == (0 if spec.exposes == "every tap" else None)
        assert runtime.facts["threads"] == "1"
    assert report.exit_code() == 0
    assert 0 < report.ruler.worst < 1e-12


def test_gaps_are_those_of_the_traces(report) -> None:
    """Compute the gaps of onnxruntime again from the kept traces."""
    golden, found = (Trace(report.folder / "scratch" / name) for name in ("golden", "onnxruntime"))
    row = next(runtime for runtime in report.runtimes if runtime.name == "onnxruntime")
    for gap in row.gaps:
        difference = np.abs(found[gap.tensor].astype(np.float64) - golden[gap.tensor])
        if gap.tensor.startswith("attention"):
            difference = np.tril(difference)
        assert gap.max == difference.max()


def test_every_timed_runtime_has_its_samples_and_the_baseline_is_timed_twice(report) -> None:
    rows = [(row.runtime, row.again) for row in report.latency]
    timed = [spec.name for spec in INSTALLED if not spec.hybrid]
    assert rows == [(BASELINE, False), (BASELINE, True), *((name, False) for name in timed if name != BASELINE)]
    assert report.latency[0].ratio is None
    for row in report.latency:
        assert list(row.turns) == list(range(report.rounds))
        assert row.error is None
        assert row.median_ms > 0
    assert all(row.ratio.low <= row.ratio.estimate <= row.ratio.high for row in report.latency[1:])


def test_each_timed_runtime_is_rerun_and_compared_with_itself(report) -> None:
    """The comparison uses one thread, so the other number of threads is two."""
    timed = [spec.name for spec in INSTALLED if not spec.hybrid]
    assert [row.runtime for row in report.self_gaps] == timed
    for row in report.self_gaps:
        own = {change: gap for change, gap in row.gaps.items() if change != BASELINE}
        assert list(own) == ["again", "batch of 4", "8 of padding", "first half", "2 threads"]
        assert own["again"] == 0
        assert max(own.values()) < 1e-4
        assert (BASELINE in row.gaps) == (row.runtime != BASELINE)
        assert row.missing == {}
        assert row.verdict.kind == "rounding"


def test_the_observer_effect_is_measured(report) -> None:
    observer = report.observer
    assert observer.runtime == "onnxruntime"
    assert 0 in observer.turns
    assert all(number % SELDOM == 0 for number in observer.turns)
    assert observer.ratio.low <= observer.ratio.estimate <= observer.ratio.high
    assert observer.nodes[0] > observer.nodes[1]
    assert observer.operators["LayerNormalization"][0] > observer.operators["LayerNormalization"][1]
    assert 0 <= observer.gap < 1e-4


def test_the_report_holds_the_model_input_environment_and_heads(report, entry: Entry) -> None:
    assert report.model.provenance == entry.manifest.source.label
    assert report.model.entry == entry.folder.name
    assert report.input.sequence == len(report.input.tokens) == 20
    assert report.environment.threads == 1
    assert report.environment.packages["torch"] == torch.__version__
    assert [head.name.partition("(")[2] for head in report.heads] == ["sharpest)", "middle)", "flattest)"]
    with np.load(report.folder / "maps.npz") as maps:
        names = {name.partition("/")[0] for name in maps}
        assert names == {"golden"} | {spec.name for spec in INSTALLED if spec.exposes == "every tap"}
        assert maps["golden/attention.0"].shape == (report.model.heads, 20, 20)
    assert {"model and graphs", "golden, controls, traces, gaps", "rounds", "in all"} <= set(report.phases)


@pytest.fixture(scope="module")
def untimed(report, tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The same comparison as `report`, but without latency and without traces."""
    settings = Settings.of(text=COMPARED_TEXT, threads=1, latency=False, out=tmp_path_factory.mktemp("untimed"))
    return compare(str(tiny_folder), settings)


def test_scratch_is_removed_unless_traces_are_kept(report, untimed: Report) -> None:
    assert (report.folder / "scratch" / "golden" / "logits.npy").exists()
    assert not (untimed.folder / "scratch").exists()
    assert not (untimed.folder / "logs").exists()


def test_the_same_seed_gives_equal_gap_tables(report, untimed: Report) -> None:
    assert [r.gaps for r in untimed.runtimes] == [r.gaps for r in report.runtimes]
    assert untimed.input.sha256 == report.input.sha256


def test_a_report_without_latency_says_that_only_verdicts_were_made(report, untimed: Report) -> None:
    assert [r.verdict for r in untimed.runtimes] == [r.verdict for r in report.runtimes]
    assert (untimed.latency, untimed.decoding, untimed.self_gaps, untimed.limits) == ([], [], [], None)
    assert untimed.exit_code() == 0
    text = to_markdown(untimed)
    assert "Nothing was timed, so no runtime is recommended, and only the graphs that expose inner tensors" in text
    assert "Latency" not in text
    assert [name for name in draw_figures(untimed) if "latency" in name] == []
    assert [row.missing for row in diff(report, untimed).latency] == ["not in B"] * (len(report.latency) - 1)
    assert Report.read(untimed.folder) == untimed


def test_a_fault_in_a_graph_is_seen(tiny_folder: Path, entry: Entry, tmp_path: Path, monkeypatch) -> None:
    """Only the graph has a scale that is off by 1 %, and the verdict names attention as the first place."""
    from export import cache

    def plant(folder: Path) -> cache.Manifest:
        for path in entry.folder.iterdir():
            if path.name != "manifest.json":
                (folder / path.name).write_bytes(path.read_bytes())
        graph = onnx.load(folder / "inspect.onnx", load_external_data=False)
        makers = {output: node for node in graph.graph.node for output in node.output}
        scaled = makers[makers[makers["attention.1"].input[0]].input[1]]
        assert scaled.op_type == "Mul"
        wrong = onnx.numpy_helper.from_array(np.float32(0.25 * 1.01), "wrong")
        graph.graph.initializer.append(wrong)
        scaled.input[1] = "wrong"
        onnx.save(graph, folder / "inspect.onnx")
        return entry.manifest

    planted = cache.publish(tmp_path / "cache", "planted", "1", plant)
    monkeypatch.setattr(prepare, "find_entry", lambda *_: planted)
    found = compare("planted", small(tmp_path / "out", "onnxruntime", latency=False))
    row = next(runtime for runtime in found.runtimes if runtime.name == "onnxruntime")
    gaps = {gap.tensor: gap.max for gap in row.gaps}
    assert gaps["query.1"] < 1e-5 < 1e-4 < gaps["attention.1"]
    assert row.verdict.kind == "different"
    assert (row.verdict.tensor, row.verdict.place) == ("attention.1", "layer 1, attention")
    assert found.beyond(row).startswith("different from layer 1, attention on: attention.1 is ")
    assert found.exit_code() == 1


def test_a_live_model_is_compared_as_it_is_now(tiny_folder: Path, tmp_path: Path) -> None:
    loaded = models.load(sources.find(str(tiny_folder)))
    with torch.no_grad():
        loaded.model.transformer.h[0].mlp.c_fc.bias += 0.5
    found = compare(loaded, small(tmp_path / "out", BASELINE, latency=False, keep_traces=True))
    assert found.model.provenance.startswith("changed in memory, from folder tiny")
    assert found.exit_code() == 0
    golden = Trace(found.folder / "scratch" / "golden")
    inputs = Trace(found.folder / "scratch" / "inputs")
    with torch.no_grad():
        logits = loaded.model(torch.from_numpy(inputs["input_ids"].copy())).logits
    np.testing.assert_allclose(golden["logits"], logits.numpy(), atol=1e-5)


def test_the_baseline_always_runs_first(tiny_folder: Path) -> None:
    chosen = [spec.name for spec in rows.chosen_runtimes(["onnxruntime", "torch-eager", "onnxruntime"])]
    assert chosen == ["torch-eager", "onnxruntime"]
    assert rows.chosen_runtimes(["all"])[: len(BUILT_IN)] == list(BUILT_IN)
    assert rows.chosen_runtimes(None) == [spec for spec in rows.chosen_runtimes(["all"]) if spec.default]

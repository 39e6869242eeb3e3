"""The main job on a tiny model: every step from a name to a report, and everything that can go wrong on the way."""

import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from compare.diff.compare import diff
from compare.latency.rounds import SELDOM
from compare.numerics.process import Numerics
from compare.pipeline import prepare
from compare.pipeline.compare_model import compare
from compare.pipeline.setting_checks import check_settings
from compare.pipeline.settings import CheckSettings, Settings
from compare.report.render.markdown import to_markdown
from compare.report.render.plots import draw_figures
from compare.report.schema import Report
from compare.report.sections import gaps
from compare.results.circumstances import Ruler
from compare.runtimes.registry import BASELINE, BUILT_IN, Spec
from compare.traces import Trace
from export import models, sources
from export.cache import Entry
from export.errors import BadInput, CannotRun
from export.taps import tap_names
from tests.helpers.fakes import installed
from tests.helpers.hanging import hangs_time_out_at_once
from tests.helpers.reports import COMPARED_TEXT

#: Those that get a row: a runtime that only decodes has no tensors to compare.
COMPARED = [spec for spec in BUILT_IN if "inspect" in spec.graphs]


def small(out: Path, *runtimes: str, **more) -> Settings:
    """Without decoding, which has tests of its own."""
    common = {"text": "To be, or not", "time": 0.2, "threads": 1, "decode": False}
    return Settings.of(runtimes=runtimes or None, out=out, **common | more)


def test_every_runtime_is_a_row_with_every_tensor(report) -> None:
    assert [runtime.name for runtime in report.runtimes] == [spec.name for spec in COMPARED]
    for runtime in report.runtimes:
        assert runtime.error is None
        assert [gap.tensor for gap in runtime.gaps] == tap_names(2)
        hidden = {gap.tensor for gap in runtime.gaps if not gap.exposed}
        assert hidden == ({"attention.0", "attention.1"} if runtime.name == "torch-sdpa" else set())
        assert report.beyond(runtime) is None
        assert runtime.verdict.kind == "rounding"
        assert 0 < runtime.largest("logits") < 1e-4
        assert runtime.above_diagonal() in (0, None)
        assert runtime.facts["threads"] == "1"
    assert report.exit_code() == 0
    assert 0 < report.ruler.worst < 1e-12


def test_gaps_are_the_traces(report) -> None:
    """What the report says of onnxruntime, computed once more from the kept traces."""
    golden, found = (Trace(report.folder / "scratch" / name) for name in ("golden", "onnxruntime"))
    row = next(runtime for runtime in report.runtimes if runtime.name == "onnxruntime")
    for gap in row.gaps:
        difference = np.abs(found[gap.tensor].astype(np.float64) - golden[gap.tensor])
        if gap.tensor.startswith("attention"):
            difference = np.tril(difference)
        assert gap.max == difference.max()


def test_every_timed_runtime_has_its_samples_and_the_baseline_is_there_twice(report) -> None:
    rows = [(row.runtime, row.again) for row in report.latency]
    timed = [spec.name for spec in COMPARED if not spec.hybrid]
    assert rows == [(BASELINE, False), (BASELINE, True), *((name, False) for name in timed if name != BASELINE)]
    assert report.latency[0].ratio is None
    for row in report.latency:
        assert list(row.turns) == list(range(report.rounds))
        assert row.error is None
        assert row.median_ms > 0
    assert all(row.ratio.low <= row.ratio.estimate <= row.ratio.high for row in report.latency[1:])


def test_each_timed_runtime_is_held_against_itself(report) -> None:
    """One thread was asked for, so the other number is two."""
    timed = [spec.name for spec in COMPARED if not spec.hybrid]
    assert [row.runtime for row in report.self_gaps] == timed
    for row in report.self_gaps:
        own = {change: gap for change, gap in row.gaps.items() if change != BASELINE}
        assert list(own) == ["again", "batch of 4", "8 of padding", "first half", "2 threads"]
        assert own["again"] == 0
        assert max(own.values()) < 1e-4
        assert (BASELINE in row.gaps) == (row.runtime != BASELINE)
        assert row.missing == {}
        assert row.verdict.kind == "rounding"


def test_the_observer_effect_is_a_row_of_its_own(report) -> None:
    observer = report.observer
    assert observer.runtime == "onnxruntime"
    assert 0 in observer.turns
    assert all(number % SELDOM == 0 for number in observer.turns)
    assert observer.ratio.low <= observer.ratio.estimate <= observer.ratio.high
    assert observer.nodes[0] > observer.nodes[1]
    assert observer.operators["LayerNormalization"][0] > observer.operators["LayerNormalization"][1]
    assert 0 <= observer.gap < 1e-4


@pytest.fixture(scope="module")
def troubled(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A comparison with two runtimes that fail, one that depends on its company, and one that is as it should be."""
    site, said, out = map(tmp_path_factory.mktemp, ("site", "hanging", "troubled"))
    with installed(site), hangs_time_out_at_once(said):
        return compare(str(tiny_folder), small(out, "crashes", "hangs", "moody", "onnxruntime", timeout=90.0))


def test_a_named_runtime_that_would_have_no_row_is_refused() -> None:
    """One of a runtime's graphs alone is neither compared nor decodes."""
    only_deploy = Spec("half", "nowhere:Half", "no row", (), "pip install half", graphs=("deploy",))
    message = r"runtime half holds deploy and nothing else: it can neither be compared nor decode; leave it out"
    with pytest.raises(CannotRun, match=message):
        prepare.check_rows([only_deploy], ["half"], CheckSettings())
    prepare.check_rows([only_deploy], [], CheckSettings())
    optimum = next(spec for spec in BUILT_IN if spec.name == "optimum")
    prepare.check_rows([optimum], ["optimum"], CheckSettings())
    prepare.check_rows([optimum], [], CheckSettings(latency=False))
    prepare.check_rows([optimum], ["all"], CheckSettings(decode=False))


def test_a_runtime_that_depends_on_its_company_is_seen(troubled: Report) -> None:
    row = next(row for row in troubled.self_gaps if row.runtime == "moody")
    assert row.gaps["again"] == 0
    assert row.gaps["batch of 4"] == pytest.approx(1.5, abs=1e-5)
    assert row.missing == {"8 of padding": "ValueError: no padding"} | dict.fromkeys(
        ("first half", "2 threads"), "killed by SIGKILL"
    )
    assert next(row for row in troubled.latency if row.runtime == "moody").error is None


def test_a_runtime_that_fails_where_sequences_are_padded_is_broken_there(troubled: Report) -> None:
    moody = next(runtime for runtime in troubled.runtimes if runtime.name == "moody")
    assert (moody.error, moody.padding.text.kind) == (None, "identical")
    said = "broken where sequences are padded: it ran on the text but not here: ValueError: no padding"
    assert troubled.untrusted == {"moody": said}
    (table,) = gaps.tables(troubled)
    assert next(row for row in table.rows if row[0] == "moody")[-1] == "broken where padded"


def test_what_else_is_in_the_report(report, entry: Entry) -> None:
    assert report.model.provenance == entry.manifest.source.label
    assert report.model.entry == entry.folder.name
    assert report.input.sequence == len(report.input.tokens) == 20
    assert report.environment.threads == 1
    assert report.environment.packages["torch"] == torch.__version__
    assert [head.name.partition("(")[2] for head in report.heads] == ["sharpest)", "middle)", "flattest)"]
    with np.load(report.folder / "maps.npz") as maps:
        names = {name.partition("/")[0] for name in maps}
        assert names == {"golden"} | {spec.name for spec in COMPARED} - {"torch-sdpa"}
        assert maps["golden/0"].shape == (20, 20)
    assert {"model and graphs", "golden, controls, traces, gaps", "rounds", "in all"} <= set(report.phases)


@pytest.fixture(scope="module")
def untimed(report, tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The comparison of `report` once more, but that nothing is timed and that no trace is kept."""
    settings = Settings.of(text=COMPARED_TEXT, threads=1, latency=False, out=tmp_path_factory.mktemp("untimed"))
    return compare(str(tiny_folder), settings)


def test_scratch_is_removed_unless_it_is_to_be_kept(report, untimed: Report) -> None:
    assert (report.folder / "scratch" / "golden" / "logits.npy").exists()
    assert not (untimed.folder / "scratch").exists()
    assert not (untimed.folder / "logs").exists()


def test_the_same_seed_gives_equal_gap_tables(report, untimed: Report) -> None:
    assert [r.gaps for r in untimed.runtimes] == [r.gaps for r in report.runtimes]
    assert untimed.input.sha256 == report.input.sha256


def test_verdicts_alone_are_said_to_be_no_more(report, untimed: Report) -> None:
    assert [r.verdict for r in untimed.runtimes] == [r.verdict for r in report.runtimes]
    assert (untimed.latency, untimed.decoding, untimed.self_gaps, untimed.limits) == ([], [], [], None)
    assert untimed.exit_code() == 0
    text = to_markdown(untimed)
    assert "Nothing was timed, so no runtime is recommended, and only the graphs that expose inner tensors" in text
    assert "Latency" not in text
    assert [name for name in draw_figures(untimed) if "latency" in name] == []
    assert [row.missing for row in diff(report, untimed).latency] == ["not in B"] * (len(report.latency) - 1)
    assert Report.read(untimed.folder) == untimed


def test_runtimes_that_fail_are_rows_and_the_others_go_on(troubled: Report) -> None:
    errors = {runtime.name: runtime.error for runtime in troubled.runtimes}
    assert errors["torch-eager"] is errors["onnxruntime"] is None
    assert errors["crashes"] == "killed by SIGSEGV"
    assert errors["hangs"] == "no answer within 90 s"
    latency = {row.runtime: row for row in troubled.latency}
    assert latency["crashes"].error == latency["hangs"].error == "not timed, because its trace failed"
    assert latency["onnxruntime"].ratio is not None
    assert troubled.exit_code() == 1
    others = [runtime for runtime in troubled.runtimes if runtime.name != "moody"]
    assert troubled.model_copy(update={"runtimes": others}).exit_code() == 3
    assert {path.name for path in (troubled.folder / "logs").iterdir()} >= {"crashes.log", "hangs.log"}


@pytest.fixture(scope="module")
def misleading(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A comparison with runtimes that are not what they say, and two that give nothing to judge."""
    with installed(tmp_path_factory.mktemp("site")):
        names = ("peeks", "notanumber", "discreet", "reticent", "raises", "wrongshape")
        out = tmp_path_factory.mktemp("misleading")
        return compare(str(tiny_folder), small(out, *names, fail_on="reduced precision", latency=False))


def alone(report: Report, name: str) -> Report:
    """The report with one runtime beside the baseline."""
    rows = [row for row in report.runtimes if row.name in (BASELINE, name)]
    return report.model_copy(update={"runtimes": rows})


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("peeks", "different from layer 1, attention on: a probability of 1.0e-03 above the causal diagonal"),
        ("notanumber", "broken: logits has NaN where golden has none"),
    ],
)
def test_a_runtime_that_is_not_to_be_trusted_is_named_and_fails_the_run(
    misleading: Report, name: str, why: str
) -> None:
    found = alone(misleading, name)
    assert {r.name: found.beyond(r) for r in found.runtimes} == {BASELINE: None, name: why}
    assert (found.exit_code(), alone(misleading, BASELINE).exit_code()) == (1, 0)


@pytest.mark.parametrize(
    ("name", "error", "code"),
    [
        ("raises", "RuntimeError: no kernel for this", 3),
        ("wrongshape", "logits has shape (1, 12, 300), golden has (1, 13, 300)", 1),  # it ran: a broken model
    ],
)
def test_a_runtime_that_gives_nothing_to_judge_says_why(misleading: Report, name: str, error: str, code: int) -> None:
    found = alone(misleading, name)
    assert found.runtimes[-1].error == error
    assert found.exit_code() == code


@pytest.mark.parametrize(("name", "precision"), [("discreet", "bf16"), ("reticent", "fp16")])
def test_a_lower_precision_is_named_from_the_numbers_alone(misleading: Report, name: str, precision: str) -> None:
    found = alone(misleading, name)
    row = found.runtimes[-1]
    assert row.precision == "float32", "which is what it says of itself"
    assert (row.verdict.kind, row.verdict.precision) == ("reduced precision", precision)
    assert found.exit_code() == 1
    assert found.model_copy(update={"fail_on": "different"}).exit_code() == 0


def test_a_fault_in_a_graph_is_seen(tiny_folder: Path, entry: Entry, tmp_path: Path, monkeypatch) -> None:
    """The scale of the scores off by 1 %, in the graph alone: attention is where it shows first."""
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


def test_nothing_is_judged_by_a_ruler_that_does_not_hold(tiny_folder: Path, tmp_path: Path, monkeypatch) -> None:
    real = Numerics.golden

    def broken(self: Numerics) -> tuple[Trace, Ruler]:
        trace, _ = real(self)
        return trace, Ruler(worst=1e-9, tensor="context.1", limit=1e-12)

    monkeypatch.setattr(Numerics, "golden", broken)
    with pytest.raises(
        CannotRun, match=r"the ruler does not hold: .* by 1\.0e-09 of the size of context\.1, limit 1e-12"
    ):
        compare(str(tiny_folder), small(tmp_path / "out", BASELINE, latency=False))
    assert not (tmp_path / "out" / "report.json").exists()


def test_a_changed_byte_in_the_cache_stops_the_run(tiny_folder: Path, entry: Entry, tmp_path: Path) -> None:
    """Size and time are as they were: only the digest, taken while the runtimes load, sees it."""
    settings = small(tmp_path / "out", BASELINE, latency=False, cache_dir=tmp_path / "cache")
    copy = shutil.copytree(entry.folder, tmp_path / "cache" / "models" / entry.folder.name)
    weights = copy / "model.safetensors"
    before = weights.stat().st_mtime_ns
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(before, before))
    with pytest.raises(BadInput, match=r"model\.safetensors has SHA-256 .*: python -m export --remove tiny-"):
        compare(str(tiny_folder), settings)
    assert weights.read_bytes() == bytes(content)
    assert not (tmp_path / "out" / "report.json").exists()


def test_a_golden_run_that_fails_is_said_with_its_log(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CannotRun, match=r"the golden run failed: no answer to 'golden' within 0 s; its log is .*golden\.log"
    ):
        compare(str(tiny_folder), small(tmp_path / "out", BASELINE, latency=False, timeout=0.01))


def test_the_baseline_always_runs_first(tiny_folder: Path) -> None:
    chosen = [spec.name for spec in prepare.chosen_runtimes(["onnxruntime", "torch-eager", "onnxruntime"])]
    assert chosen == ["torch-eager", "onnxruntime"]
    assert prepare.chosen_runtimes(["all"]) == prepare.chosen_runtimes(None)


def test_a_named_runtime_that_is_missing_is_refused_before_any_work(fake_runtimes) -> None:
    with pytest.raises(
        CannotRun, match="runtime absent needs no_such_package_9, not installed here: pip install absent"
    ):
        prepare.chosen_runtimes(["absent"])
    assert "absent" in [spec.name for spec in prepare.chosen_runtimes(None)]  # unnamed, it is a row


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threads": 0}, "threads is 0; it must be at least 1"),
        ({"batch": -1}, "batch is -1; it must be at least 1"),
        ({"sequence": 0}, "sequence is 0; it must be at least 1"),
        ({"time": 0.0}, "time is 0 seconds; it must be above 0"),
        ({"precision": -0.01}, "precision is -1 %; it must be above 0"),
        ({"time": float("nan")}, "time is nan seconds; it must be above 0"),
        ({"timeout": 0.0}, "timeout is 0 seconds; it must be above 0"),
        ({"max_load": 1.1}, "max_load is 110 %; it must be above 0 % and at most 100 %"),
        ({"seed": -1}, "seed is -1; it must be at least 0"),
        ({"text": " "}, "the text is empty"),
        ({"latency": False, "grid": "8x1"}, "grid needs latency, which is off"),
        ({"latency": False, "interference": True}, "interference needs latency, which is off"),
        ({"out": Path("/proc/nowhere")}, "the folder /proc/nowhere cannot be written to: "),
    ],
)
def test_wrong_settings_are_refused_before_any_work(settings, message: str) -> None:
    with pytest.raises(BadInput) as error:
        check_settings(Settings.of(**settings))
    assert message in str(error.value)


def test_a_scratch_folder_of_someone_elses_is_left_alone(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "thesis.txt").write_text("years of work")
    with pytest.raises(BadInput, match=r"scratch exists and no comparison made it; set out to another folder"):
        compare(str(tiny_folder), small(tmp_path, BASELINE))
    assert (tmp_path / "scratch" / "thesis.txt").exists()


def test_an_old_report_does_not_outlive_a_run_that_fails(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("old")
    with pytest.raises(CannotRun):
        compare(str(tiny_folder), small(tmp_path, BASELINE, latency=False, timeout=0.01))
    assert not (tmp_path / "report.json").exists()

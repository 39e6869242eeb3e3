"""Test that `diff` reports only changes that the rounds support, and every regression."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compare.diff import text as difference_text
from compare.diff.comparability import circumstances
from compare.diff.compare import diff, verdict_change
from compare.report.schema import Report
from compare.results.latency import LatencyRow
from compare.results.runtimes import OnnxGraph, RuntimeResult
from compare.results.verdicts import Verdict
from export.errors import BadInput


def verdict(kind: str, place: str = "") -> Verdict:
    facts = {"tensor": "context.1", "statistic": "rms", "multiple": 57.3}
    return Verdict(kind=kind, place=place, note="no logits" if kind == "broken" else "", **facts)


def with_turns(report: Report, *, rounds: int = 12, noise: float = 0.01, seed: int = 0, **slower: float) -> Report:
    """Return a copy with random turns: each runtime takes 1 ms times its given factor times noise."""
    random = np.random.default_rng(seed)
    copy = report.model_copy(deep=True)
    for row in copy.latency:
        factor = slower.get(row.runtime.replace("-", "_"), 1.0)
        times = 1e6 * factor * np.exp(noise * random.standard_normal(rounds))
        row.turns = {number: [int(time)] for number, time in enumerate(times)}
    return copy


def said(older: Report, newer: Report, fail_over: float = 5.0) -> str:
    """Return all printed text except the tables."""
    difference = diff(older, newer, fail_over)
    return "\n".join([*difference_text.opening(difference), *difference_text.lines(difference)])


def runtime(report: Report, name: str) -> RuntimeResult:
    return next(runtime for runtime in report.runtimes if runtime.name == name)


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "compare", "diff", *map(str, arguments)], capture_output=True, text=True
    )


@pytest.fixture
def altered(report: Report) -> Report:
    """A copy of the report that a test may change, with its own samples."""
    return report.model_copy(deep=True)


@pytest.fixture
def altered_folder(altered: Report, tmp_path: Path):
    """A function that writes a changed report to a new folder."""

    def write(report: Report, name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        report.write(folder)
        return folder

    return write


def test_a_report_against_itself_is_no_regression(report: Report) -> None:
    report = with_turns(report)
    difference = diff(report, report)
    assert difference.exit_code() == 0
    assert [row.change for row in difference.runtimes] == ["same"] * 5
    assert {(row.runtime, row.again) for row in difference.latency} == {
        *(("torch-eager", True), ("torch-sdpa", False), ("torch-reference", False), ("onnxruntime", False))
    }
    for row in difference.latency:
        assert row.change.estimate == 1
        assert row.change.low <= 1 <= row.change.high
        assert row.memory_percent == 0
        assert row.again or difference_text.reading(row).startswith("no clear difference (+-")
    answer = "no regression: of 5 verdicts none is worse and at or beyond different, and of 3 runtimes timed none"
    assert difference_text.answer(difference).startswith(answer)
    assert difference.notes == []


def test_one_report_alone_has_the_same_interval_every_time(report: Report) -> None:
    assert diff(report, report) == diff(report, report)


def test_ten_percent_more_time_is_a_regression(report: Report) -> None:
    difference = diff(with_turns(report), with_turns(report, seed=1, onnxruntime=1.1))
    (regression,) = difference.regressions
    assert (regression.runtime, regression.kind) == ("onnxruntime", "latency")
    assert difference.exit_code() == 1
    row = next(row for row in difference.latency if row.runtime == "onnxruntime")
    assert row.change.low > 1.05
    assert difference_text.reading(row).endswith(" x as long")
    last = difference_text.lines(difference)[-1]
    ratio = f"{row.change.estimate:.3f} [{row.change.low:.3f}, {row.change.high:.3f}]"
    assert last == f"regression: onnxruntime takes {ratio} times as long as before, more than 5 % longer"


def test_a_slower_machine_is_none(report: Report) -> None:
    """All runtimes take three times as long, including the baseline."""
    everything = {row.runtime.replace("-", "_"): 3.0 for row in report.latency}
    difference = diff(with_turns(report), with_turns(report, seed=1, **everything))
    assert difference.regressions == []


def test_ten_percent_in_wide_noise_is_not_called_a_change(report: Report) -> None:
    older, newer = with_turns(report, noise=0.2), with_turns(report, noise=0.2, seed=5, onnxruntime=1.1)
    difference = diff(older, newer)
    row = next(row for row in difference.latency if row.runtime == "onnxruntime")
    assert row.change.low < 1 < row.change.high
    assert difference_text.reading(row).startswith("no clear difference (+-")
    assert difference.exit_code() == 0
    text = said(older, newer)
    assert "These rounds neither show nor rule out a change of more than 5 %: torch-" in text
    assert f"onnxruntime may take up to {100 * (row.change.high - 1):.0f} % longer; a longer --time narrows" in text


@pytest.mark.parametrize(("fail_over", "code"), [(0, 1), (5, 1), (15, 0)])
def test_the_limit_is_the_one_given(report: Report, fail_over: float, code: int) -> None:
    difference = diff(with_turns(report), with_turns(report, seed=1, torch_sdpa=1.1), fail_over)
    assert difference.exit_code() == code


def test_a_clear_change_within_the_limit_is_no_regression(report: Report) -> None:
    difference = diff(with_turns(report), with_turns(report, seed=1, onnxruntime=1.03))
    row = next(row for row in difference.latency if row.runtime == "onnxruntime")
    assert row.change.low > 1
    assert difference.regressions == []


def test_the_second_baseline_is_never_a_regression(report: Report) -> None:
    newer = with_turns(report, seed=1)
    newer.latency[1].turns = {number: [2 * time for time in turn] for number, turn in newer.latency[1].turns.items()}
    difference = diff(with_turns(report), newer)
    assert difference.regressions == []
    assert difference.latency[0].change.low > 1.9
    assert "The A/A control's change is " in said(with_turns(report), newer)


@pytest.mark.parametrize(
    ("older", "newer", "change"),
    [
        ("identical", "rounding", "worse"),
        ("rounding", "reduced precision", "worse"),
        ("reduced precision", "different", "worse"),
        ("different", "broken", "worse"),
        ("broken", "identical", "better"),
        ("rounding", "rounding", "same"),
        ("not judged", "not judged", "same"),
        ("not judged", "identical", None),
        ("identical", "not judged", None),
        ("not judged", "broken", "worse"),
        (None, "broken", None),
    ],
)
def test_verdicts_have_an_order(older: str, newer: str, change: str | None) -> None:
    assert verdict_change(older, newer) == change


def test_a_worse_verdict_counts_from_the_one_on_that_the_newer_report_fails_on(report: Report, altered: Report) -> None:
    runtime(altered, "onnxruntime").verdict = verdict("reduced precision")
    difference = diff(report, altered)
    assert next(row.change for row in difference.runtimes if row.name == "onnxruntime") == "worse"
    assert difference.exit_code() == 0
    altered.fail_on = "rounding"
    (regression,) = diff(report, altered).regressions
    assert regression.said.startswith("onnxruntime was rounding and is reduced precision (")
    assert diff(altered, report).exit_code() == 0  # it became better


def test_a_verdict_that_was_as_bad_is_no_regression(report: Report, altered: Report) -> None:
    runtime(altered, "onnxruntime").verdict = verdict("different", "layer 1, attention")
    assert diff(altered, altered).regressions == []
    assert diff(report, altered).regressions[0].said == (
        "onnxruntime was rounding and is different from layer 1, attention on: context.1 is 57 x rounding (rms)"
    )


def test_a_runtime_that_ran_and_fails_is_a_regression_once(report: Report, altered: Report) -> None:
    row = runtime(altered, "onnxruntime")
    row.error, row.verdict, row.gaps = "killed", None, []
    altered.latency[-1] = LatencyRow(runtime="onnxruntime", again=False, error="not timed, because its trace failed")
    difference = diff(report, altered)
    assert [(part.kind, part.said) for part in difference.regressions] == [
        ("failure", "onnxruntime ran and fails now: killed")
    ]
    assert "onnxruntime failed in B: killed." in said(report, altered)
    assert diff(altered, altered).regressions == []
    assert diff(altered, report).regressions == []


def test_a_runtime_that_cannot_be_timed_any_more_is_a_regression(report: Report, altered: Report) -> None:
    altered.latency[-1] = LatencyRow(runtime="onnxruntime", again=False, error="crashed")
    assert [part.said for part in diff(report, altered).regressions] == ["onnxruntime ran and fails now: crashed"]
    assert diff(report, altered).latency[-1].missing == "failed in B: crashed"


def test_a_runtime_that_one_report_does_not_have_is_named_and_not_judged(report: Report, altered: Report) -> None:
    altered.runtimes = [runtime for runtime in altered.runtimes if runtime.name != "torch-sdpa"]
    altered.latency = [row for row in altered.latency if row.runtime != "torch-sdpa"]
    for older, newer, side in ((report, altered, "A"), (altered, report, "B")):
        difference = diff(older, newer)
        assert difference.regressions == []
        assert f"torch-sdpa is only in {side}, so it is not compared." in said(older, newer)
        absent = "B" if side == "A" else "A"
        assert next(row.missing for row in difference.latency if row.runtime == "torch-sdpa") == f"not in {absent}"


def test_too_few_rounds_are_said_to_be(report: Report) -> None:
    difference = diff(with_turns(report, rounds=2), with_turns(report))
    assert {difference_text.reading(row) for row in difference.latency} == {
        "too few undisturbed rounds shared with the baseline"
    }


def test_a_change_that_is_known_to_no_better_than_a_factor_of_two_is_no_number(report: Report) -> None:
    difference = diff(with_turns(report, rounds=4), with_turns(report, rounds=4, noise=1.5, onnxruntime=20))
    reading = difference_text.reading(difference.latency[-1])
    assert reading == "not measurable: known to no better than a factor of two"
    assert difference.regressions == []


def test_absolute_times_and_memory_are_for_information(report: Report, altered: Report) -> None:
    altered.latency[0].median_ms = 1000 * report.latency[0].median_ms
    altered.latency[-1].peak_bytes = 2 * report.latency[-1].peak_bytes
    difference = diff(report, altered)
    assert difference.regressions == []
    assert difference_text.tables(difference)[1].rows[-1][-1] == "+100 %"
    why = "because the machine's state may have changed."
    assert f"Absolute times of two runs are not compared, {why}" in said(report, altered)


def other_model(report: Report) -> None:
    report.model.provenance = "folder tiny (sha256 0000000)"


def other_vocabulary(report: Report) -> None:
    report.model.vocabulary = 50257


def other_input(report: Report) -> None:
    report.input.sha256 = "f" * 64


def quick(report: Report) -> None:
    report.quick = True


def no_model(report: Report) -> None:
    report.model = None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            other_model,
            r"of different models: A of tiny \(folder tiny .*\), B of tiny \(folder tiny \(sha256 0000000\);",
        ),
        (
            other_vocabulary,
            r"different models: A of .*vocabulary 300\), B of .*vocabulary 50,257\); give both runs the",
        ),
        (other_input, r"inputs: A of 1 x 20 bytes \(SHA-256 \w{12}\), B of 1 x 20 bytes \(SHA-256 f{12}\); give both"),
        (quick, "extents: A of a whole run, B of a quick run; run both with --quick, or both without"),
        (no_model, "models: A of tiny .*, B of no model but two ONNX files"),
    ],
)
def test_what_cannot_be_compared_is_refused(report: Report, altered: Report, change, message: str) -> None:
    change(altered)
    with pytest.raises(BadInput, match=message):
        diff(report, altered)


def test_two_files_need_the_same_baseline(altered: Report) -> None:
    altered.model = None
    graph = OnnxGraph(file="x", bytes=1, sha256="a" * 64, opset=18, fed=[], unmatched=[], quantized=[], halves=[])
    altered.runtimes[0].graph, altered.runtimes[-1].graph = graph, replace(graph)
    other = altered.model_copy(deep=True)
    other.runtimes[-1].graph.sha256 = "b" * 64  # the file that is compared with the baseline may change
    assert diff(altered, other).fail_on == "broken"
    other.runtimes[0].graph.sha256 = "b" * 64
    with pytest.raises(BadInput, match=r"baselines: A of x \(SHA-256 a{12}\), B of x \(SHA-256 b{12}\)"):
        diff(altered, other)


@pytest.mark.parametrize("fail_over", [-1.0, float("nan"), float("inf")])
def test_a_limit_that_is_none(report: Report, fail_over: float) -> None:
    with pytest.raises(BadInput, match=r"--fail-over is .*; it must be a percentage of at least 0 \(default: 5\)"):
        diff(report, report, fail_over)


def test_other_circumstances_are_said(report: Report, altered: Report) -> None:
    altered.environment.threads, altered.environment.processor = 7, "abacus"
    altered.environment.packages = {**report.environment.packages, "onnxruntime": "99.1", "abacus": "1.0"}
    found = circumstances(report, altered)
    processor, version = report.environment.processor, report.environment.packages["onnxruntime"]
    assert found == [
        f"the processor differs: {processor} then, abacus now; that alone may change ratios",
        "the number of threads differs: 1 then, 7 now; that alone may change ratios",
        f"packages differ: onnxruntime {version} then, 99.1 now, abacus not installed then, 1.0 now",
    ]
    assert f"NOTE: {found[-1]}" in said(report, altered)


def test_tables_hold_as_many_cells_as_columns(report: Report, altered: Report) -> None:
    altered.runtimes[1].error, altered.runtimes[1].verdict = "killed", None
    altered.latency = altered.latency[:2]
    for table in difference_text.tables(diff(report, altered)):
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_the_command_ends_with_the_answer_and_its_code(report: Report, altered: Report, altered_folder) -> None:
    same = command(report.folder, report.folder / "report.json")
    assert (same.returncode, same.stderr) == (0, "")
    assert same.stdout.splitlines()[-1].startswith("no regression: ")
    runtime(altered, "onnxruntime").verdict = verdict("broken")
    worse = command(report.folder, altered_folder(altered, "newer"))
    assert (worse.returncode, worse.stderr) == (1, "")
    assert worse.stdout.splitlines()[-1] == "regression: onnxruntime was rounding and is broken: no logits"
    for cell in ("x rounding, A", "B / A [95 %]", "peak", "onnxruntime"):
        assert cell in worse.stdout


def test_json_is_the_difference_and_nothing_else(report: Report, altered: Report, altered_folder) -> None:
    slow = altered_folder(with_turns(report, seed=1, onnxruntime=1.5), "slow")
    run = command(altered_folder(with_turns(report), "fast"), slow, "--json", "--fail-over", "20")
    assert run.returncode == 1
    plain = json.loads(run.stdout)
    assert plain["fail_over"] == 20
    assert [(part["runtime"], part["kind"]) for part in plain["regressions"]] == [("onnxruntime", "latency")]
    assert plain["latency"][-1]["change"]["low"] > 1.2


def test_what_cannot_be_compared_is_one_line_and_two(report: Report, altered: Report, altered_folder) -> None:
    altered.quick = True
    run = command(report.folder, altered_folder(altered, "quick"))
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("error: the two reports are of different extents: A of a whole run, B of a quick run")
    assert command(report.folder, "/no/such/report").returncode == 2

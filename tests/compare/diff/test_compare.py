"""Regressions between two reports: none is reported that the rounds do not support, and none is missed."""

import pytest

from compare.diff import text as difference_text
from compare.diff.compare import diff, verdict_change
from compare.report.schema import Report
from export.errors import BadInput
from tests.helpers.differences import fail_while_timed, runtime, said, verdict, with_turns


def test_a_report_against_itself_is_no_regression(report: Report) -> None:
    report = with_turns(report)
    difference = diff(report, report)
    assert difference.exit_code() == 0
    assert [row.change for row in difference.runtimes] == ["same"] * 6
    assert {(row.runtime, row.again) for row in difference.latency} == {
        *(("torch-eager", True), ("torch-sdpa", False), ("torch-reference", False)),
        *(("onnxruntime", False), ("optimum", False)),
    }
    for row in difference.latency:
        assert row.change.estimate == 1
        assert row.change.low <= 1 <= row.change.high
        assert row.memory_percent == 0
        assert row.again or difference_text.reading(row).startswith("no difference (+-")
    answer = "no regression: of 6 verdicts none is worse and at or beyond different, and of 4 runtimes timed none"
    assert difference_text.answer(difference).startswith(answer)
    assert difference.notes == []


def test_the_interval_is_the_same_every_time(report: Report) -> None:
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


def test_a_slower_machine_is_no_regression(report: Report) -> None:
    """All runtimes take three times as long, including the baseline."""
    everything = {row.runtime.replace("-", "_"): 3.0 for row in report.latency}
    difference = diff(with_turns(report), with_turns(report, seed=1, **everything))
    assert difference.regressions == []


def test_ten_percent_in_wide_noise_is_no_clear_change(report: Report) -> None:
    older, newer = with_turns(report, noise=0.2), with_turns(report, noise=0.2, seed=5, onnxruntime=1.1)
    difference = diff(older, newer)
    row = next(row for row in difference.latency if row.runtime == "onnxruntime")
    assert row.change.low < 1 < row.change.high
    assert difference_text.reading(row).startswith("no difference (+-")
    assert difference.exit_code() == 0
    text = said(older, newer)
    assert "These rounds neither show nor rule out a change of more than 5 %: torch-" in text
    assert f"onnxruntime may take up to {100 * (row.change.high - 1):.0f} % longer" in text
    assert "% longer; a longer --time narrows" in text


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


def test_a_worse_verdict_is_a_regression_if_the_newer_report_fails_on_it(report: Report, altered: Report) -> None:
    runtime(altered, "onnxruntime").verdict = verdict("reduced precision")
    difference = diff(report, altered)
    assert next(row.change for row in difference.runtimes if row.name == "onnxruntime") == "worse"
    assert difference.exit_code() == 0
    altered.fail_on = "rounding"
    (regression,) = diff(report, altered).regressions
    assert regression.said.startswith("onnxruntime was rounding and is reduced precision (")
    assert diff(altered, report).exit_code() == 0  # it became better


def test_a_cache_that_became_wrong_is_a_regression(report: Report, altered: Report) -> None:
    row = next(row for row in altered.decoding if row.runtime == "onnxruntime")
    row.checks = dict.fromkeys(row.checks, verdict("different"))
    (regression,) = diff(report, altered).regressions
    assert (regression.runtime, regression.kind) == ("onnxruntime", "verdict")
    assert regression.said.startswith("onnxruntime was rounding when it decoded and is different")
    assert diff(altered, altered).regressions == []


def test_a_verdict_that_was_as_bad_is_no_regression(report: Report, altered: Report) -> None:
    runtime(altered, "onnxruntime").verdict = verdict("different", "layer 1, attention")
    assert diff(altered, altered).regressions == []
    assert diff(report, altered).regressions[0].said == (
        "onnxruntime was rounding and is different from layer 1, attention on: context.1 is 57 x rounding (rms)"
    )


def test_a_runtime_that_ran_and_fails_is_a_regression_once(report: Report, altered: Report) -> None:
    row = runtime(altered, "onnxruntime")
    row.error, row.verdict, row.gaps = "killed", None, []
    fail_while_timed(altered, "onnxruntime", "not timed, because its trace failed")
    difference = diff(report, altered)
    assert [(part.kind, part.said) for part in difference.regressions] == [
        ("failure", "onnxruntime ran and fails now: killed")
    ]
    assert "onnxruntime failed in B: killed." in said(report, altered)
    assert diff(altered, altered).regressions == []
    assert diff(altered, report).regressions == []


def test_a_runtime_that_does_not_decode_any_more_is_a_regression(report: Report, altered: Report) -> None:
    row = next(row for row in altered.decoding if row.runtime == "onnxruntime")
    row.error, row.turns = "no cache", {}
    assert [part.said for part in diff(report, altered).regressions] == ["onnxruntime ran and fails now: no cache"]


def test_a_runtime_that_cannot_be_timed_any_more_is_a_regression(report: Report, altered: Report) -> None:
    fail_while_timed(altered, "onnxruntime", "crashed")
    assert [part.said for part in diff(report, altered).regressions] == ["onnxruntime ran and fails now: crashed"]
    missing = {row.runtime: row.missing for row in diff(report, altered).latency}
    assert missing["onnxruntime"] == "failed in B: crashed"


def test_a_runtime_in_one_report_only_is_named_and_not_judged(report: Report, altered: Report) -> None:
    altered.runtimes = [runtime for runtime in altered.runtimes if runtime.name != "torch-sdpa"]
    altered.latency = [row for row in altered.latency if row.runtime != "torch-sdpa"]
    for older, newer, side in ((report, altered, "A"), (altered, report, "B")):
        difference = diff(older, newer)
        assert difference.regressions == []
        assert f"torch-sdpa is only in {side}, so it is not compared." in said(older, newer)
        absent = "B" if side == "A" else "A"
        assert next(row.missing for row in difference.latency if row.runtime == "torch-sdpa") == f"not in {absent}"


def test_too_few_rounds_are_reported(report: Report) -> None:
    difference = diff(with_turns(report, rounds=2), with_turns(report))
    assert {difference_text.reading(row) for row in difference.latency} == {
        "too few undisturbed rounds shared with the baseline"
    }


def test_a_change_known_only_within_a_factor_of_two_has_no_number(report: Report) -> None:
    difference = diff(with_turns(report, rounds=4), with_turns(report, rounds=4, noise=1.5, onnxruntime=20))
    (row,) = (row for row in difference.latency if row.runtime == "onnxruntime")
    reading = difference_text.reading(row)
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


@pytest.mark.parametrize("fail_over", [-1.0, float("nan"), float("inf")])
def test_a_limit_that_is_no_percentage_is_refused(report: Report, fail_over: float) -> None:
    with pytest.raises(BadInput, match=r"--fail-over is .*; it must be a percentage of at least 0 \(default: 5\)"):
        diff(report, report, fail_over)


def test_tables_hold_as_many_cells_as_columns(report: Report, altered: Report) -> None:
    altered.runtimes[1].error, altered.runtimes[1].verdict = "killed", None
    altered.latency = altered.latency[:2]
    for table in difference_text.tables(diff(report, altered)):
        assert {len(row) for row in table.rows} == {len(table.columns)}

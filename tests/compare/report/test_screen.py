"""The screen: at most 24 lines of 80 columns, whatever a run found, and its table."""

from collections.abc import Callable
from dataclasses import replace
from math import inf

import pytest

from compare.report.formatting import NOT_MEASURABLE, NOTHING
from compare.report.schema import Report
from compare.report.screen import screen, table
from compare.results.latency import LatencyRow, Ratio
from tests.helpers.reports import screen_of, verdict
from tests.helpers.screens import (
    CHANGES,
    of_two_files,
    with_a_busy_machine,
    with_a_decoder,
    with_a_fault,
    with_failures,
    without_latency,
)


@pytest.mark.parametrize("change", CHANGES)
def test_it_has_at_most_24_lines_of_80_columns(default_run: Report, change: Callable[[Report], None]) -> None:
    change(default_run)
    lines = screen_of(default_run).splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    for runtime in default_run.runtimes:
        assert any(line.startswith(runtime.name) for line in lines)
    assert lines[-2:] == [
        "Everything: python -m compare show --full",
        "Report: cache/reports/20261126-181645-distilgpt2-seeded",
    ]


@pytest.mark.parametrize("change", CHANGES)
def test_no_term_is_unexplained(default_run: Report, change: Callable[[Report], None]) -> None:
    change(default_run)
    shown = screen_of(default_run)
    assert not [word for word in ("golden", "control", "A/A", "tap", "floor", "!!") if word in shown]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_a_narrow_terminal_has_fewer_columns_and_says_which(default_run: Report, width: int) -> None:
    printed = screen_of(default_run, width)
    assert ("No room for: " in " ".join(printed.split())) == (width < 80)
    assert max(len(line) for line in printed.splitlines() if "yes" in line) <= width


def test_its_table_has_a_row_for_each_runtime(default_run: Report) -> None:
    shown = screen(default_run).table
    assert shown.columns == [
        *("runtime", "same model?", "error", "prefill ms", "vs torch-eager", "token ms", "vs torch-eager", "MB")
    ]
    rows = {row[0]: row[1:] for row in shown.rows}
    assert list(rows) == [
        *("torch-eager", "torch-sdpa", "torch-reference", "numpy-reference", "onnxruntime", "optimum")
    ]
    assert rows["torch-eager"][0] == "yes"
    assert rows["torch-eager"][2:6] == ["1", "baseline", "1", "baseline"]
    assert rows["torch-sdpa"][3] == "no difference"
    assert rows["onnxruntime"][3] == rows["onnxruntime"][5] == "0.25 ±.01"
    assert rows["numpy-reference"][2:] == [NOTHING] * 5
    assert (rows["optimum"][0], rows["optimum"][2:6]) == ("yes", ["1", "no difference"] * 2)
    assert "numpy-reference computes the attention alone and is not timed." in shown.notes


def test_a_runtime_that_only_decodes_has_its_prefill_as_the_time_of_a_pass(default_run: Report) -> None:
    with_a_decoder(default_run)
    shown = screen(default_run)
    row = next(row[1:] for row in shown.table.rows if row[0] == "decoder")
    assert row[:2] == ["yes", NOTHING]
    assert row[3:6] == ["0.50 ±.05", "1", "no difference"]
    assert shown.verdict == ["Same model: 6 of 6 runtimes."]


def test_a_fault_has_a_word_and_a_place_and_no_times(default_run: Report) -> None:
    with_a_fault(default_run)
    shown = screen(default_run)
    row = next(row for row in shown.table.rows if row[0] == "onnxruntime")
    assert row[1].startswith("NO: layer 2, attention, ")
    assert row[1].endswith(" x")
    assert set(row[2:]) == {""}
    assert shown.verdict == ["Same model: 5 of 6 runtimes.", "onnxruntime differs from layer 2, attention on."]
    assert not any("Use onnxruntime" in sentence for sentence in shown.advice)


def test_a_failure_is_a_row_and_a_sentence(default_run: Report) -> None:
    with_failures(default_run)
    shown = screen(default_run)
    why = "it was killed by SIGSEGV while it ran the text, see its log"
    rows = {row[0]: row for row in shown.table.rows}
    assert rows["torch-sdpa"][1] == f"did not run: {why}"
    assert rows["decoder"][1] == "did not run: no kernel for this"
    assert shown.verdict[1:] == [f"torch-sdpa did not run: {why}.", "decoder could not decode: no kernel for this."]
    cut = next(line for line in screen_of(default_run, 60).splitlines() if line.startswith("torch-sdpa"))
    assert len(cut) <= 60
    assert cut.endswith("…")


def test_other_verdicts_have_their_words(default_run: Report) -> None:
    words = {
        "torch-eager": (verdict("identical"), "yes"),
        "torch-sdpa": (verdict("reduced precision", precision="bf16", tensor="logits", multiple=40.0), "bf16"),
        "torch-reference": (verdict("unsteady", note="different in 1 of 3 runs"), "unsteady"),
        "onnxruntime": (verdict("broken", note="the logits have a NaN"), "NO: broken"),
    }
    for runtime in default_run.runtimes:
        if runtime.name in words:
            runtime.verdict = words[runtime.name][0]
    shown = screen(default_run)
    assert {row[0]: row[1] for row in shown.table.rows if row[0] in words} == {
        name: word for name, (_, word) in words.items()
    }
    assert "bf16: the model in reduced precision." in shown.table.notes
    assert shown.verdict[0] == "Same model: 4 of 6 runtimes."


def test_a_wrong_cache_has_no_time_of_a_token(default_run: Report) -> None:
    with_a_decoder(default_run)
    for row in default_run.decoding:
        if row.runtime in ("onnxruntime", "decoder"):
            row.checks = {"1": verdict("different", place="final norm and head", tensor="logits", multiple=99.0)}
    shown = screen(default_run)
    rows = {row[0]: row for row in shown.table.rows}
    assert (rows["onnxruntime"][1], rows["onnxruntime"][5:7]) == ("yes", ["wrong", NOTHING])
    assert rows["decoder"][1] == "NO: decoding"
    assert shown.verdict[0] == "Same model: 4 of 6 runtimes."
    assert shown.verdict[1].startswith("onnxruntime decodes wrongly: it is different from final norm and head on")


def test_what_is_not_measurable_is_no_number_and_a_line_says_why(default_run: Report) -> None:
    row = next(row for row in default_run.latency if row.runtime == "torch-sdpa")
    row.ratio = Ratio(estimate=0.2, low=0.001, high=28.0)
    shown = screen(default_run)
    assert next(cells for cells in shown.table.rows if cells[0] == "torch-sdpa")[4] == NOT_MEASURABLE
    assert f"{NOT_MEASURABLE}: an interval wider than a factor of two" in shown.table.notes
    with_a_busy_machine(default_run)
    shown = screen(default_run)
    assert {row[4] for row in shown.table.rows} == {"baseline", NOT_MEASURABLE, NOTHING}
    assert shown.advice[0].startswith("Not measurable here: other processes used 43 % of the CPU (stress 41 %)")
    assert shown.quality == []


def test_a_runtime_that_left_the_rounds_has_a_rough_ratio(default_run: Report) -> None:
    for rows in (default_run.latency, default_run.decoding):
        row = next(row for row in rows if row.runtime == "torch-sdpa")
        row.too_slow, row.ratio = True, Ratio(estimate=36.3, low=0.0, high=inf)
        row.turns = {number: row.turns[number] for number in list(row.turns)[:2]}
    shown = screen(default_run)
    cells = next(cells for cells in shown.table.rows if cells[0] == "torch-sdpa")
    assert (cells[4], cells[6]) == ("36 x, 2 rounds", "36 x, 2 rounds")
    assert "x, rounds: too slow for the rounds of the others, so timed in only as many." in shown.table.notes
    assert not any("torch-sdpa" in sentence for sentence in shown.advice)
    assert NOT_MEASURABLE not in shown.table.notes


def test_if_every_turn_was_disturbed_the_advice_says_so(default_run: Report) -> None:
    with_a_busy_machine(default_run)
    for row in (*default_run.latency, *default_run.decoding):
        row.disturbed |= {number: [samples] for number, samples in row.turns.items()}
        row.turns, row.ratio, row.median_ms = {}, None, None
    for row in default_run.decoding:
        row.first_token_ms = None
    shown = screen(default_run)
    assert shown.table.columns == [
        *("runtime", "same model?", "error", "prefill vs torch-eager", "token vs torch-eager", "MB")
    ]
    advice = shown.advice
    assert advice[0].startswith(
        "Not measurable here: other processes used 43 % of the CPU (stress 41 %), and only 0 of "
    )
    assert advice[1:] == ["Generation is not measurable here either."]


def test_without_latency_nothing_is_advised(default_run: Report) -> None:
    without_latency(default_run)
    shown = screen(default_run)
    assert shown.table.columns == ["runtime", "same model?", "error"]
    assert shown.advice == ["Nothing was timed, so no runtime is advised."]
    assert "Intervals" not in shown.table.notes


def test_two_files_are_compared_and_not_judged(default_run: Report) -> None:
    of_two_files(default_run)
    shown = screen(default_run)
    assert shown.header[0] == "onnx-file.onnx against onnx-baseline.onnx"
    assert shown.table.columns == ["runtime", "same model?", "prefill ms", "vs baseline", "MB"]
    assert [row[1] for row in shown.table.rows] == [NOTHING, "not judged"]
    assert shown.verdict == [
        "onnx-file is not judged: the first to differ is hidden_state.2 (layer 1, MLP), by 570,000 unit roundoffs."
    ]
    assert shown.advice[0].startswith("Use onnx-file: 0.25 of onnx-baseline's time [0.24, 0.26]")


def test_the_table_grows_while_a_run_goes_on(default_run: Report) -> None:
    bare = [replace(runtime, verdict=None, gaps=[]) for runtime in default_run.runtimes]
    assert table(bare, [], []).columns == ["runtime", "same model?"]
    judged = [*default_run.runtimes[:1], *bare[1:]]
    assert [row[1] for row in table(judged, [], []).rows] == ["yes", *[NOTHING] * 5]
    early = [LatencyRow(runtime=row.runtime, again=row.again) for row in default_run.latency]
    assert table(judged, early, []).columns == ["runtime", "same model?", "error"]
    row = next(row for row in default_run.latency if row.runtime == "torch-sdpa")
    row.turns = {0: row.turns[0]}
    cells = {cells[0]: cells for cells in table(judged, default_run.latency, [], running=True).rows}
    assert cells["torch-sdpa"][4] == "not yet"
    assert cells["onnxruntime"][4] == "0.25 ±.01"

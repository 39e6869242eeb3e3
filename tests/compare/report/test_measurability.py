"""Test that nothing is recommended if latency supports no advice, and that the report says why."""

import pytest

from compare.report import formatting, measurability
from compare.report.advice import answer
from compare.report.schema import Report
from compare.report.sections import disturbance, latency
from compare.results.latency import Ratio

WIDE = Ratio(estimate=1.0, low=0.013, high=15.084)
FAST = Ratio(estimate=0.25, low=0.24, high=0.26)


def advised(report: Report) -> list[str]:
    return [line for line in answer(report) if "deploy" in line.lower() or "measurable" in line]


@pytest.fixture
def fast(altered: Report) -> Report:
    """onnxruntime takes a quarter of the baseline's time, in passes and in steps."""
    for rows in (altered.latency, altered.decoding):
        next(row for row in rows if row.runtime == "onnxruntime").ratio = FAST
    return altered


def test_a_quiet_machine_supports_advice(fast: Report) -> None:
    first, second = advised(fast)
    assert first.startswith("Deploy onnxruntime: 4 times as fast as torch-eager")
    assert second.startswith("To generate, deploy onnxruntime")


def test_others_that_used_the_cpu_are_named_and_nothing_is_advised(fast: Report) -> None:
    fast.disturbance.others, fast.disturbance.stolen, fast.disturbance.disturbed = 0.43, 0.0, 90
    fast.disturbance.processes = {"stress": 0.41, "cron": 0.001}
    for rows in (fast.latency, fast.decoding):
        for row in rows:
            row.disturbed = {number: [row.turns.pop(number)] for number in range(2, 12)}
    assert advised(fast) == [
        "Not measurable here: other processes used 43 % of the CPU (stress 41 %), and only 2 of 12 rounds were "
        "undisturbed; 4 are needed. No runtime is recommended; run again when they have ended, or count every turn "
        "with --max-load 100.",
        "Generation is not measurable here either.",
    ]
    assert fast.exit_code() == 0


def test_three_rounds_support_no_advice(fast: Report) -> None:
    for row in fast.latency:
        row.turns, row.loads = {0: [1], 1: [1], 2: [1]}, {0: [0.0], 1: [0.0], 2: [0.0]}
    assert advised(fast)[0] == (
        "Not measurable in 0.5 s: 3 rounds, and 4 are needed. No runtime is recommended; use --min-rounds 4 or a "
        "longer --time."
    )


def test_a_wide_control_supports_no_advice(fast: Report) -> None:
    fast.latency[1].ratio = WIDE
    assert advised(fast)[0] == (
        "Not measurable here: the A/A control, torch-eager in two processes, is not known to within a factor of two. "
        "No runtime is recommended; use a longer --time, or run again on a quieter machine."
    )


def test_a_median_far_above_the_best_calls_supports_no_advice(fast: Report) -> None:
    row = fast.latency[0]
    row.first_call_s, row.median_ms = 0.162, 1330.0
    row.turns = {number: [243 * 10**6 if number < 4 else 1330 * 10**6] for number in range(12)}
    assert measurability.slowed(row)
    assert advised(fast)[0] == (
        "Not measurable here: most calls of torch-eager took far longer than the first call and the fastest quarter, "
        "so something slowed them. No runtime is recommended; run again on a quieter machine."
    )
    assert disturbance.sentences(fast)[1] == (
        "torch-eager's median, 1,330 ms, is far above its first call (162 ms) and its fastest quarter (243 ms): "
        "something slowed most of its calls."
    )
    row.first_call_s = 1.0  # an equally slow first call shows nothing
    assert not measurability.slowed(row)


def test_a_ratio_is_no_better_than_a_control_that_is_off(fast: Report) -> None:
    fast.latency[1].ratio = Ratio(estimate=1.1, low=1.05, high=1.15)
    next(row for row in fast.latency if row.runtime == "onnxruntime").ratio = Ratio(estimate=0.93, low=0.9, high=0.96)
    (said,) = [line for line in answer(fast) if line.startswith("No runtime")]
    assert said == (
        "No runtime is measurably faster than torch-eager; the closest, onnxruntime, has a time ratio of "
        "0.930 [0.900, 0.960] (A/A control: 1.100 [1.050, 1.150])."
    )


def test_an_interval_wider_than_a_factor_of_two_is_no_number(fast: Report) -> None:
    row = next(row for row in fast.latency if row.runtime == "onnxruntime")
    row.ratio = Ratio(estimate=0.2, low=0.001, high=28.506)
    assert (formatting.interval(row.ratio), latency.reading(row)) == ("not measurable", "not measurable")
    others = [other for other in fast.latency if other.runtime != "onnxruntime"]
    assert all("not measurable" not in latency.reading(other) for other in others)
    assert latency.rounds_words(fast).endswith("widest interval not measurable, asked for +-2 %")


def test_a_row_without_an_undisturbed_turn_is_not_measurable(fast: Report) -> None:
    row = fast.latency[2]
    row.turns, row.ratio = {}, None
    assert latency.reading(row) == "not measurable"


def test_how_many_turns_were_disturbed_is_said(fast: Report) -> None:
    part = fast.disturbance
    part.attempts, part.disturbed, part.others, part.stolen, part.processes = 1210, 12, 0.013, 0.0, {"cron": 0.011}
    part.sees, part.max_load = "every process", 0.05
    assert disturbance.sentences(fast) == [
        "12 of 1,210 turns were disturbed and do not count: while turns ran, other processes used 1 % of the CPU "
        "(cron 1 %)."
    ]
    part.disturbed, part.others, part.processes, part.stolen = 0, 0.001, {}, 0.02
    part.sees = "the processes of this container, and the machine's CPU time"
    assert disturbance.sentences(fast) == [
        "None of the 1,210 turns was disturbed: while they ran, other processes used less than 1 % of the CPU and 2 % "
        "was stolen by the hypervisor. Visible from here: the processes of this container, and the machine's CPU time."
    ]

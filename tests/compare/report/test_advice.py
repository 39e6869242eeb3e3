"""Test which runtimes are recommended, which are not, and the reasons that are given."""

from dataclasses import replace

from compare.report.advice import advice, answer
from compare.report.formatting import NOTHING
from compare.report.recommendation import choices, for_passes, front
from compare.report.schema import Report
from compare.report.sections import latency
from compare.results.latency import LatencyRow, Ratio
from tests.helpers.reports import verdict


def test_the_answer_names_the_fastest(altered: Report) -> None:
    for row in altered.latency[1:]:
        row.ratio = Ratio(estimate=1.1, low=0.9, high=1.2)
    altered.latency[-1].ratio = Ratio(estimate=0.25, low=0.24, high=0.26)
    name = altered.latency[-1].runtime
    assert any(s.startswith(f"Deploy {name}: 4 times as fast as torch-eager") for s in answer(altered))


def test_no_winner_if_the_interval_contains_one(altered: Report) -> None:
    for row in altered.latency[1:]:
        row.ratio = Ratio(estimate=0.97, low=0.92, high=1.02)
    assert latency.reading(altered.latency[1]) == "A/A control"
    assert latency.reading(altered.latency[2]) == "no difference (+-5.2 %)"
    assert any(s.startswith("No runtime is measurably faster than torch-eager") for s in answer(altered))


def test_without_the_baselines_time_nothing_is_called_a_ratio(altered: Report) -> None:
    altered.latency[0] = LatencyRow(runtime="torch-eager", again=False, error="killed")
    for row in altered.latency[1:]:
        row.ratio = None
    rows = latency.tables(altered)[0].rows
    assert [row[2] for row in rows if row[0] in ("torch-sdpa", "onnxruntime")] == [NOTHING] * 2
    assert not any(s.startswith("Deploy") for s in answer(altered))


def test_a_runtime_that_is_different_does_not_compute_the_same_model_whatever_fails_the_run(altered: Report) -> None:
    wrong = altered.runtimes[-1]
    wrong.verdict = verdict("different", place="layer 1, attention", tensor="context.1", statistic="max", multiple=57.3)
    count = len(altered.runtimes)
    for fail_on in ("different", "broken"):
        altered.fail_on = fail_on
        said = answer(altered)
        assert any(s.startswith(f"{count - 1} of {count} runtimes compute the same model") for s in said), fail_on
        assert any(wrong.name in s and "different from layer 1, attention on" in s for s in said), fail_on


def test_the_fastest_is_not_advised_where_it_is_beyond_the_limits(altered: Report) -> None:
    fast = altered.latency[-1]
    fast.ratio = Ratio(estimate=0.1, low=0.1, high=0.1)
    row = next(runtime for runtime in altered.runtimes if runtime.name == fast.runtime)
    row.verdict = verdict("different", place="layer 1, attention", tensor="context.1", statistic="max", multiple=57.3)
    said = answer(altered)
    why = "different from layer 1, attention on: context.1 is 57 x rounding (max)"
    assert said[0] == f"{fast.runtime} is NOT to be trusted: {why}."
    assert not any(s.startswith(f"Deploy {fast.runtime}") for s in said)
    assert altered.exit_code() == 1


def test_the_advice_says_what_it_costs_and_what_is_as_fast(altered: Report) -> None:
    rows = {row.runtime: row for row in altered.latency if not row.again}
    for row in altered.latency[1:]:
        row.ratio = Ratio(estimate=1.0, low=0.95, high=1.05)
    rows["onnxruntime"].ratio = Ratio(estimate=0.5, low=0.49, high=0.51)
    rows["torch-sdpa"].ratio = Ratio(estimate=0.52, low=0.505, high=0.53)
    rows["onnxruntime"].peak_bytes, rows["torch-eager"].peak_bytes = 900_000_000, 600_000_000
    rows["onnxruntime"].load_s, rows["torch-eager"].load_s = 9.0, 1.0
    rows["onnxruntime"].first_call_s = rows["torch-eager"].first_call_s = 0.0
    for name, multiple in (("onnxruntime", 1.4), ("torch-eager", 0.9)):
        gaps = next(r for r in altered.runtimes if r.name == name).gaps
        assert gaps[-1].tensor == "logits"
        known = gaps[-1].evidence
        gaps[-1] = replace(gaps[-1], evidence=replace(known, accumulated=replace(known.accumulated, max=multiple)))
    said = advice(altered)
    assert said[-3].startswith("Deploy onnxruntime: 2 times as fast as torch-eager (time ratio 0.500 [0.490, 0.510]")
    assert said[-2] == "Not measurably slower than it: torch-sdpa (0.520 [0.505, 0.530])."
    assert said[-1] == (
        "What that costs compared with torch-eager: logits within 1.4 x rounding instead of 0.9 x; "
        "900 MB of peak memory instead of 600; 9 s until the first answer instead of 1 (one sample each)."
    )


def test_of_runtimes_that_are_equally_fast_the_one_with_the_least_memory_is_advised(altered: Report) -> None:
    rows = {row.runtime: row for row in altered.latency if not row.again}
    for row in altered.latency[1:]:
        row.ratio = Ratio(estimate=1.0, low=0.95, high=1.05)
    fast, light, slow = rows["optimum"], rows["onnxruntime"], rows["torch-sdpa"]
    fast.ratio = Ratio(estimate=0.48, low=0.44, high=0.52)
    light.ratio = Ratio(estimate=0.50, low=0.46, high=0.54)
    slow.ratio = Ratio(estimate=0.53, low=0.50, high=0.56)  # it overlaps the fastest, but is probably slower
    fast.peak_bytes, light.peak_bytes, slow.peak_bytes = 900, 600, 300
    found = for_passes(altered)
    assert found and found.deployed is light and set(found.rivals) == {"optimum", "torch-sdpa"}
    light.peak_bytes = 890  # as much, so the fastest one is as good
    found = for_passes(altered)
    assert found and found.deployed is fast
    light.peak_bytes, light.ratio = 600, Ratio(estimate=0.50, low=0.2, high=1.3)  # perhaps slower than the baseline
    found = for_passes(altered)
    assert found and found.deployed is fast


def test_the_front_is_what_no_other_beats_in_time_and_gap(altered: Report) -> None:
    facts = {
        "torch-sdpa": (0.8, 3e-6),
        "torch-reference": (0.9, 4e-6),
        "onnxruntime": (0.5, 5e-6),
        "optimum": (0.6, 6e-6),
        "torch-eager": (1.0, 1e-6),
    }
    for row in altered.latency[1:]:
        time = facts[row.runtime][0]
        row.ratio = Ratio(estimate=time, low=time, high=time)
    for runtime in altered.runtimes:
        if runtime.name in facts:
            assert runtime.gaps[-1].tensor == "logits"
            runtime.gaps[-1] = replace(runtime.gaps[-1], max=facts[runtime.name][1])
    found = choices(altered)
    assert {choice.name for choice in found} == set(facts)
    assert [choice.name for choice in front(found)] == ["onnxruntime", "torch-sdpa", "torch-eager"]


def test_the_control_is_never_advised(altered: Report) -> None:
    altered.latency[1].ratio = Ratio(estimate=0.1, low=0.1, high=0.1)
    assert not any("Deploy torch-eager" in sentence for sentence in answer(altered))

"""The sentences of the screen: what was compared, and the same choice as the full answer."""

from compare.report.recommendation import for_generation, for_passes
from compare.report.schema import Report
from compare.report.screen import screen
from compare.results.latency import GridCell, InterferenceRow, Ratio
from tests.helpers.reports import screen_of, verdict
from tests.helpers.screens import with_a_fault


def test_its_advice_is_that_of_the_full_answer(default_run: Report) -> None:
    default_run.latency[0].peak_bytes = 800_000_000
    row = next(row for row in default_run.latency if row.runtime == "onnxruntime")
    row.peak_bytes = 400_000_000
    passes, steps = for_passes(default_run), for_generation(default_run)
    assert passes and passes.deployed and steps and steps.deployed
    assert (passes.deployed.runtime, steps.deployed.runtime) == ("onnxruntime", "onnxruntime")
    assert screen(default_run).advice == [
        "Use onnxruntime: 0.25 [0.24, 0.26] of torch-eager's time for prefill, 0.25 [0.24, 0.26] for each token to "
        "generate, 0.50 of the memory."
    ]
    row.ratio = Ratio(estimate=1.0, low=0.9, high=1.1)
    assert screen(default_run).advice == [
        "Use onnxruntime to generate: 0.25 of torch-eager's time a token [0.24, 0.26], 0.50 of the memory.",
        "For prefill, no runtime is measurably faster.",
    ]
    for steps in default_run.decoding[1:]:
        steps.ratio = Ratio(estimate=1.0, low=0.9, high=1.1)
    assert screen(default_run).advice == [
        "No runtime is measurably faster than torch-eager, for prefill or to generate."
    ]


def test_a_rival_is_named(default_run: Report) -> None:
    next(row for row in default_run.latency if row.runtime == "torch-sdpa").ratio = Ratio(
        estimate=0.26, low=0.25, high=0.27
    )
    assert "Not measurably slower: torch-sdpa (for prefill)." in screen(default_run).advice
    next(row for row in default_run.decoding if row.runtime == "torch-sdpa").ratio = Ratio(
        estimate=0.26, low=0.25, high=0.27
    )
    assert "Not measurably slower: torch-sdpa." in screen(default_run).advice


def test_how_quiet_the_machine_was(default_run: Report) -> None:
    part = default_run.disturbance
    assert part is not None
    part.max_load, part.others, part.stolen, part.attempts, part.disturbed = 0.05, 0.01, 0.0, 100, 2
    assert screen(default_run).quality == [
        "Measured on a quiet machine: 2 % of turns were disturbed; torch-eager against itself: 1.00 ±.01."
    ]
    part.others, part.disturbed = 0.3, 40
    assert screen(default_run).quality[0].startswith("Measured on a busy machine: 40 % of turns were disturbed;")
    part.max_load = 1.0
    assert screen(default_run).quality[0].startswith("Every turn counts (--max-load 100): other processes used 30 %")


def test_the_header_says_what_was_compared_on_what(default_run: Report) -> None:
    default_run.notes = ["the hub cannot be reached, so it is compared with RANDOM WEIGHTS", "weights were float16"]
    shown = screen(default_run)
    assert shown.header == ["distilgpt2 architecture, RANDOM WEIGHTS (seed 0)", "20 bytes, batch 1, 1 thread"]
    assert shown.warnings == ["weights were float16"]
    assert "NOTE: weights were float16" in screen_of(default_run)


def test_grid_and_interference_are_named(default_run: Report) -> None:
    default_run.grid = [GridCell(sequence=8, batch=1, rounds=1, latency=[])]
    default_run.interference = [InterferenceRow(runtime="torch-eager", again=False)]
    assert [sentence.partition(" (")[0] for sentence in screen(default_run).more] == [
        "Times while the other runtimes are awake",
        "Times of 1 other input shape",
    ]


def test_a_stricter_limit_is_named_and_changes_no_count(default_run: Report) -> None:
    default_run.fail_on = "reduced precision"
    lower = next(runtime for runtime in default_run.runtimes if runtime.name == "torch-sdpa")
    lower.verdict = verdict("reduced precision", precision="bf16", tensor="logits", statistic="rms", multiple=40.0)
    assert screen(default_run).verdict == [
        "Same model: 6 of 6 runtimes.",
        "Not trusted with --fail-on reduced precision: torch-sdpa.",
    ]


def test_a_milder_limit_makes_no_fault_the_same_model(default_run: Report) -> None:
    default_run.fail_on = "broken"
    with_a_fault(default_run)
    assert screen(default_run).verdict == [
        "Same model: 5 of 6 runtimes.",
        "onnxruntime differs from layer 2, attention on.",
    ]


def test_each_kind_of_fault_has_its_sentence(default_run: Report) -> None:
    rows = {runtime.name: runtime for runtime in default_run.runtimes}
    padded = {"padded": "where sequences are padded on the left", "place": "layer 0, attention", "note": "a note"}
    rows["torch-eager"].verdict = verdict("different", cause="ignores the attention mask", **padded)
    rows["torch-sdpa"].verdict = verdict("different", **padded)
    rows["torch-reference"].verdict = verdict("unsteady", note="different in 1 of 3 runs")
    timed = next(row for row in default_run.self_gaps if row.runtime == "onnxruntime")
    timed.verdict = verdict("broken", note="the logits have a NaN")
    assert screen(default_run).verdict == [
        "Same model: 2 of 6 runtimes.",
        "As it is timed, onnxruntime is broken: the logits have a NaN.",
        "torch-eager differs where sequences are padded on the left: it ignores the attention mask.",
        "torch-sdpa differs where sequences are padded on the left from layer 0, attention on.",
        "torch-reference is unsteady: different in 1 of 3 runs.",
    ]


def test_a_baseline_alone_is_no_choice(default_run: Report) -> None:
    default_run.latency, default_run.decoding = default_run.latency[:2], default_run.decoding[:2]
    assert screen(default_run).advice == ["No other runtime that can be trusted was timed, so none is advised."]

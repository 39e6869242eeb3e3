"""The progress of a comparison: its stages in order, and nothing of it during a turn."""

from pathlib import Path

import pytest

from compare.latency import rounds
from compare.latency.rounds import run_rounds
from compare.latency.series import Role, Series
from compare.pipeline.compare_model import compare
from compare.pipeline.latency_stage import known_words
from compare.pipeline.settings import Settings
from tests.helpers.progress import Recorder
from tests.helpers.series import series_of


@pytest.fixture(scope="module")
def told(entry, tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """What a comparison tells of its progress, with the beginning and the end of every turn."""
    progress, turn = Recorder(), Series.turn

    def watched(self: Series, number: int, until: float) -> None:
        progress.events.append(("turn", "begins"))
        turn(self, number, until)
        progress.events.append(("turn", "ends"))

    options = {
        "time": 0.2,
        "min_rounds": 2,
        "threads": 1,
        "interference": True,
        "grid": "4x1",
        "runtimes": ["onnxruntime"],
    }
    settings = Settings.of(text="To be, or not", out=tmp_path_factory.mktemp("out"), **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Series, "turn", watched)
        compare(str(tiny_folder), settings, progress)
    return progress


def test_the_stages_are_those_of_the_plan_in_order(told: Recorder) -> None:
    (plan,) = told.texts("plan")
    names = [text.partition(":")[0] for text in told.texts("stage")]
    assert names == plan.split(", ")
    before = "golden, traces, loading, rounds, interference, grid, reruns"
    assert plan == f"{before}, loading, decoding, decode checks"


def test_every_step_has_its_result(told: Recorder) -> None:
    steps = told.texts("step")
    assert steps[0].startswith("golden agrees with transformers' eager attention in float64: ")
    assert steps[1].endswith("distinct controls show what rounding does")
    assert [step.partition(":")[0] for step in steps[2:4]] == ["torch-eager", "onnxruntime"]
    caches = [f"verdict on the cache of {name}: rounding" for name in ("torch-eager", "onnxruntime")]
    assert steps[-2:] == caches
    waits = told.texts("waits")
    assert any("rounds, " in text and "fewer than 12 undisturbed rounds" in text for text in waits)
    assert any("1 pairs of rounds, " in text for text in waits)
    results = told.texts("results")
    assert [text for text in results if text.startswith("runtimes")][:2] == ["runtimes: 1", "runtimes: 2"]
    assert {"latency: 3", "decoding: 3"} <= set(results)


def test_details_name_every_process_with_its_log_and_the_seconds_of_every_phase(told: Recorder) -> None:
    details = told.texts("detail")
    assert sum(text.startswith("a process for torch-eager starts; log ") for text in details) == 2
    assert sum(" is traced; log " in text for text in details) == 2
    assert {"golden, controls, traces, gaps", "rounds"} <= {text.rpartition(":")[0] for text in details}


def test_nothing_is_told_during_a_turn_and_no_thread_shows_the_time(told: Recorder) -> None:
    turning, ticking, turns = False, 0, 0
    for kind, text in told.events:
        if kind == "turn":
            turning = text == "begins"
            turns += turning
            assert ticking == 0
        elif kind == "ticking":
            ticking += 1 if text == "begins" else -1
        else:
            assert not turning, (kind, text)
    assert turns > 20
    assert ticking == 0


def test_a_slow_round_tells_of_its_turns_and_a_fast_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    monkeypatch.setattr(Series, "turn", lambda self, number, until: events.append(f"turn in {number}"))
    series = [series_of("a", Role.BASELINE), series_of("b")]

    def between(number: int) -> None:
        events.append(f"{number} over")

    for slow, after_turns in ((1e9, []), (-1.0, ["0 over"])):
        events.clear()
        monkeypatch.setattr(rounds, "SLOW", slow)
        assert run_rounds(series, seconds=0.0, seed=0, between=between) == 1
        assert events == ["turn in 0", *after_turns, "turn in 0", *after_turns, "1 over"]


def test_words_on_the_ratio_that_is_known_least() -> None:
    baseline, fast = series_of("eager", Role.BASELINE), series_of("onnxruntime")
    assert known_words([baseline], 0.02, seed=0) == "no ratio to measure"
    baseline.turns = {number: [100] for number in range(12)}
    assert known_words([baseline, fast], 0.02, seed=0) == "onnxruntime has fewer than 12 undisturbed rounds"
    fast.turns = {number: [50 + number % 2 * 5] for number in range(12)}
    assert known_words([baseline, fast], 0.02, seed=0).startswith("onnxruntime known to ±")
    assert known_words([baseline, fast], 0.02, seed=0).endswith(" %, wanted ±2 %")

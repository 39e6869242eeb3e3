"""Tests of the trials of `faults` and `calibrate`: faults of a chosen size, clean runs, and how they are counted."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks import clean_runs
from benchmarks.clean_runs import CleanRun, judged, unseen_runs
from benchmarks.false_alarms import distinct, false_alarms, unsteady
from benchmarks.faults import counts
from benchmarks.proportions import upper_bound
from benchmarks.setups import CHOOSING, REPORTING, Setup, Stand, in_pairs
from benchmarks.trials import dialled, faults
from compare.pipeline.second_look import RUNS
from export.exporting import exported
from tests.faults.bench import Bench
from tests.faults.kinds import KINDS


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Stand:
    setup = Setup("byte-gpt2", 5, ((1, 40),))
    folder = exported("byte-gpt2").folder
    return Stand(setup, Bench(folder, setup.ids(1, 40), tmp_path_factory.mktemp("bench")), {"dynamo": folder})


@pytest.mark.slow
@pytest.mark.parametrize("target", [1.0, 5.0, 30.0])
def test_the_strength_of_a_fault_is_adjusted_to_a_size(stand: Stand, target: float) -> None:
    _, size = dialled(stand.bench, KINDS["bias dropped"], "layer 2, output projection", 3, target)
    assert target / 1.3 <= size.floors <= target * 1.3


@pytest.mark.slow
def test_drawn_faults_come_in_every_size(stand: Stand) -> None:
    found = list(faults([stand], np.random.default_rng(0), draws=1, kinds=[KINDS["matrix scaled"]]))
    sizes = [trial.size.floors for trial in found]
    assert len(sizes) == 5
    assert min(sizes) < 2.6
    assert max(sizes) > 12
    assert all(trial.placed for trial in found if trial.size.floors > 16)
    assert counts(found)["found"] == sum(trial.found for trial in found)


@pytest.mark.slow
def test_orders_that_no_floor_was_made_from_are_rounding(stand: Stand) -> None:
    runs = list(unseen_runs(stand))
    assert {run.verdict.kind for run in runs} == {"rounding"}
    assert len(distinct(runs)) == len(runs)


@pytest.mark.slow
def test_runs_with_the_same_numbers_count_once(stand: Stand) -> None:
    run = next(unseen_runs(stand))
    assert len(distinct([run, CleanRun("another", run.stand, run.evidence, run.verdict)])) == 1


@pytest.mark.slow
def test_a_clean_run_that_is_off_in_one_process_is_unsteady_and_no_false_alarm(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = []

    def traced(stands: list[Stand], *of: object) -> list[dict[str, np.ndarray]]:
        found = dict(stands[0].bench.clean_outputs)
        if not processes:
            found["attention.1"] = found["attention.1"] * np.float32(1.01)
        processes.append(of)
        return [found]

    monkeypatch.setattr(clean_runs, "traced", traced)
    runs = list(clean_runs.clean_runs(stand))
    assert [run.said.kind for run in runs] == ["unsteady", *["rounding"] * (len(runs) - 1)]
    assert len(processes) == len(runs) + RUNS - 1
    assert (false_alarms(runs), sum(map(unsteady, runs))) == (0, 1)
    assert all(run.fresh for run in runs)
    other = dataclasses.replace(runs[0], further=(runs[0].verdict,) * 2)
    assert (false_alarms([other]), unsteady(other)) == (1, False)


@pytest.mark.slow
def test_a_process_traces_two_benches_of_a_model(stand: Stand, tmp_path: Path) -> None:
    other = Stand(stand.setup, Bench(stand.entries["dynamo"], stand.setup.ids(2, 20), tmp_path), stand.entries)
    found = clean_runs.traced([stand, other], "torch-eager", "dynamo", 1)
    assert [len(trace["logits"]) for trace in found] == [1, 2]
    for bench, trace in zip((stand, other), found, strict=True):
        assert judged(bench, "torch-eager", trace).verdict.kind == "rounding"


@pytest.mark.slow
def test_benches_are_paired_within_a_model(stand: Stand) -> None:
    another = dataclasses.replace(stand, setup=Setup("gpt2", 1, ()))
    assert [len(pair) for pair in in_pairs([stand, stand, stand, another])] == [2, 1, 1]


def test_limits_are_reported_on_seeds_that_they_were_not_chosen_on() -> None:
    assert not {(s.model, s.seed) for s in CHOOSING} & {(s.model, s.seed) for s in REPORTING}


def test_the_upper_bound_of_a_rate() -> None:
    assert upper_bound(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300))
    assert upper_bound(3, 100) == pytest.approx(0.0757, abs=1e-4)  # Beta(4, 97) at 0.95

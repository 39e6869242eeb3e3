"""Test statistics on samples whose results are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.latency.rounds import MIN_ROUNDS
from compare.latency.statistics import (
    drift,
    interval,
    log_ratios,
    midmean,
    outliers,
    paired_ratio,
    percentile,
    ratio_of_ratios,
    relative_spread,
    student,
    turn_medians,
)
from compare.results.latency import Ratio

SAMPLES = st.lists(st.integers(1, 10**9), min_size=1, max_size=6)


def test_a_turn_counts_by_its_median() -> None:
    assert turn_medians({0: [1, 100, 3], 2: [4, 6]}) == {0: 3.0, 2: 5.0}


def test_a_midmean_leaves_out_a_quarter_at_either_end() -> None:
    assert midmean(np.array([-1e9, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1e9])) == 3.5  # of eight two and two
    assert midmean(np.array([7.0, 1e9, 1.0])) == 7.0
    assert midmean(np.array([[1.0, 3.0], [5.0, 5.0]])).tolist() == [2.0, 5.0]


def test_what_slows_a_whole_round_cancels() -> None:
    baseline = {i: [1000 * (1 + i % 7)] for i in range(50)}
    mine = {i: [500 * (1 + i % 7)] for i in range(50)}
    ratio = paired_ratio(mine, baseline, seed=0)
    assert (ratio.estimate, ratio.low, ratio.high) == pytest.approx((0.5, 0.5, 0.5), rel=1e-12)


def test_rounds_that_one_side_missed_do_not_count() -> None:
    assert paired_ratio({0: [1], 1: [9]}, {0: [2], 5: [1]}, seed=0).estimate == 0.5
    assert paired_ratio({0: [1]}, {1: [1]}, seed=0) is None


@given(st.dictionaries(st.integers(0, 9), SAMPLES, min_size=2))
def test_a_runtime_against_itself_reads_one(turns) -> None:
    ratio = paired_ratio(turns, turns, seed=1)
    assert (ratio.low, ratio.estimate, ratio.high) == (1, 1, 1)


def test_one_round_tells_nothing() -> None:
    ratio = paired_ratio({0: [1]}, {0: [2]}, seed=0)
    assert (ratio.low, ratio.estimate, ratio.high) == (0, 0.5, np.inf)
    assert ratio.half_width == np.inf


@pytest.mark.parametrize(
    ("degrees", "truth"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (5, 2.5706), (11, 2.2010), (30, 2.0423), (120, 1.9799)],
)
def test_student_is_the_tables_student(degrees: int, truth: float) -> None:
    assert student(degrees) == pytest.approx(truth, abs=0.004)


@pytest.mark.parametrize("rounds", [3, 5, 6, 8, 12, 30])
def test_intervals_of_few_rounds_cover_the_truth_too(rounds: int) -> None:
    """Of 400 intervals of 95 %, at least 368 contain the true value (92 %; fewer have a probability of 1 %)."""
    random = np.random.default_rng(rounds)
    covered = 0
    for trial in range(400):
        low, high = interval(0.04 * random.standard_t(5, rounds), seed=trial)
        covered += low <= 0 <= high
    assert covered >= 368


def test_intervals_cover_the_truth_where_rounds_stop_once_they_are_narrow() -> None:
    """With the stopping rule of the rounds at 2 %, at least 276 of 300 intervals contain the true value."""
    random = np.random.default_rng(0)
    covered, rounds = 0, []
    for trial in range(300):
        logs = 0.03 * random.standard_t(5, 40)
        for count in range(MIN_ROUNDS, 41):
            low, high = interval(logs[:count], seed=trial)
            if Ratio(estimate=1.0, low=np.exp(low), high=np.exp(high)).half_width <= 0.02:
                break
        rounds.append(count)
        covered += low <= 0 <= high
    assert covered >= 276
    assert min(rounds) < 20 < max(rounds) <= 40


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Of 200 intervals of 95 %, at least 180 contain the true ratio, 0.8 (fewer have a probability of 1 in 500)."""
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        slow = 1 + 0.3 * random.random(25)
        draws = {
            side: (truth * slow * np.exp(0.05 * random.standard_normal(25)) * 1e6).astype(int)
            for side, truth in (("mine", 0.8), ("baseline", 1.0))
        }
        turns = {side: {i: [int(x)] for i, x in enumerate(values)} for side, values in draws.items()}
        ratio = paired_ratio(turns["mine"], turns["baseline"], seed=trial)
        assert ratio.low <= ratio.estimate <= ratio.high
        covered += ratio.low <= 0.8 <= ratio.high
    assert covered >= 180


def test_the_interval_narrows_with_more_rounds() -> None:
    random = np.random.default_rng(1)
    widths = []
    for rounds in (5, 20, 80):
        mine, theirs = (
            {i: [int(x)] for i, x in enumerate(1e6 * np.exp(0.1 * random.standard_normal(rounds)))} for _ in range(2)
        )
        ratio = paired_ratio(mine, theirs, seed=0)
        widths.append(ratio.high - ratio.low)
    assert widths[0] > widths[1] > widths[2]


def test_the_same_samples_always_give_the_same_interval() -> None:
    mine, theirs = ({i: [7 + i * k] for i in range(9)} for k in (1, 2))
    assert paired_ratio(mine, theirs, seed=4) == paired_ratio(mine, theirs, seed=4)


def test_percentiles_are_given_where_there_are_samples_enough() -> None:
    assert percentile([5] * 63, 0.9) is None
    assert percentile([5] * 64, 0.9) == 5
    assert percentile(range(661), 0.99) is None
    assert percentile(range(662), 0.99) == pytest.approx(654.39)
    assert percentile(range(5), 0.5) is None
    assert percentile(range(11), 0.5) == 5


def test_outliers_are_far_out_on_the_slow_side_alone() -> None:
    steady = [100, 101, 102, 103, 104]
    assert outliers(steady) == 0
    assert outliers([*steady, 110, 113, 1, 1000]) == 1


def test_drift_is_told_where_there_is_a_trend() -> None:
    random = np.random.default_rng(3)
    noise = 1e6 * np.exp(0.02 * random.standard_normal(30))
    assert drift({i: [int(x)] for i, x in enumerate(noise)}) is None
    rising = {i: [int(x * 1.01**i)] for i, x in enumerate(noise)}
    assert drift(rising) == pytest.approx(1.01**29 - 1, rel=0.15)
    falling = {i: [int(x / 1.01**i)] for i, x in enumerate(noise)}
    assert drift(falling) == pytest.approx(1.01**-29 - 1, rel=0.15)
    assert drift({i: [i + 1] for i in range(4)}) is None


@pytest.mark.parametrize(("older", "newer"), [(3, 3), (3, 15), (5, 5), (12, 12), (40, 40)])
@pytest.mark.parametrize("noise", ["normal", "one round in ten is disturbed"])
def test_the_change_between_two_runs_is_covered_with_few_rounds_too(older: int, newer: int, noise: str) -> None:
    """Of 300 intervals of 95 %, at least 274 contain the true change, 1.1 (fewer have a probability of 1 in 390)."""
    random = np.random.default_rng(0)

    def rounds(number: int, truth: float):
        disturbed = 0.4 * (random.random(number) < 0.1) if noise != "normal" else 0
        return np.log(truth) + 0.05 * random.standard_normal(number) + disturbed

    covered = 0
    for trial in range(300):
        ratio = ratio_of_ratios(rounds(older, 0.5), rounds(newer, 0.55), seed=trial)
        assert ratio.low <= ratio.estimate <= ratio.high
        covered += ratio.low <= 1.1 <= ratio.high
    assert covered >= 274


def test_the_interval_of_a_change_is_not_wide_for_nothing() -> None:
    """20 rounds that scatter by 2 % detect a change of 5 % in nearly every trial."""
    random = np.random.default_rng(3)
    told = 0
    for trial in range(100):
        older, newer = (np.log(truth) + 0.02 * random.standard_normal(20) for truth in (1.0, 1.05))
        told += ratio_of_ratios(older, newer, seed=trial).low > 1
    assert told >= 98


def test_machines_of_two_speeds_cancel() -> None:
    """The newer run's machine is half as fast for both sides of its ratio."""
    older = log_ratios({i: [500] for i in range(5)}, {i: [1000] for i in range(5)})
    newer = log_ratios({i: [1000] for i in range(4)}, {i: [2000] for i in range(4)})
    ratio = ratio_of_ratios(older, newer, seed=0)
    assert (ratio.low, ratio.estimate, ratio.high) == (1, 1, 1)


def test_two_rounds_say_nothing_of_a_change() -> None:
    assert ratio_of_ratios(np.zeros(2), np.zeros(9), seed=0) is None
    assert ratio_of_ratios(np.zeros(9), log_ratios({}, {0: [1]}), seed=0) is None


def test_spread() -> None:
    assert relative_spread([5, 5, 5]) == 0
    assert relative_spread(list(range(1, 102))) == pytest.approx(50 / 51)

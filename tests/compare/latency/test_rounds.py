"""Tests of the rounds: which processes run, which are suspended, in which order, and when the rounds end."""

import random
from types import SimpleNamespace

import psutil
import pytest

from compare.latency import rounds
from compare.latency.machine_limits import BANDWIDTH, COMPUTE
from compare.latency.rounds import MIN_ROUNDS, leave_out, precise, run_rounds
from compare.latency.series import Role, Series
from compare.latency.worker_process import WorkerProcess
from tests.helpers.processes import stopped
from tests.helpers.series import series_of


def test_all_but_the_one_that_is_asked_are_stopped(make, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [make("torch-eager"), make("onnxruntime")]
    for series in many:
        series.import_libraries()
        assert stopped(series)
        series.load()
        assert stopped(series)
    seen: list[list[str]] = []
    plain = Series.turn

    def watched(self: Series, number: int, until: float) -> None:
        seen.append([psutil.Process(each.process.pid).status() for each in many if each is not self])
        plain(self, number, until)
        assert stopped(self)

    monkeypatch.setattr(Series, "turn", watched)
    assert run_rounds(many, seconds=0.01, seed=0, least=3) == 3  # as many as asked for, however short the time
    assert seen == [[psutil.STATUS_STOPPED]] * 6
    for series in many:
        assert list(series.turns) == [0, 1, 2]
        assert all(sample > 0 for turn in series.turns.values() for sample in turn)
        assert series.peak_bytes > 10_000_000
        assert series.load_s > 0
        assert series.first_call_s > 0
        assert series.facts["threads"] == "1"


def test_every_turn_of_a_round_begins_on_the_same_cpu(make, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    plain = WorkerProcess.ask
    monkeypatch.setattr(WorkerProcess, "ask", lambda self, *lines: told.append(lines[0]) or plain(self, *lines))
    many = [make("onnxruntime"), make("onnxruntime")]
    for series in many:
        series.import_libraries()
        series.load()
    told.clear()
    run_rounds(many, seconds=0.01, seed=0, first=5, least=3)
    assert told == [f"stand {number}" for number in (5, 5, 6, 6, 7, 7)]


def test_the_machines_limits_take_their_turns_like_everybody_else(make) -> None:
    many = [make("onnxruntime"), make(COMPUTE.name), make(BANDWIDTH.name)]
    for series in many:
        series.import_libraries()
        series.load()
        assert stopped(series)
    assert run_rounds(many, seconds=0.01, seed=0, least=3) == 3
    for series, unit in zip(many[1:], (COMPUTE.unit, BANDWIDTH.unit), strict=True):
        assert stopped(series)
        assert list(series.turns) == [0, 1, 2]
        assert int(series.facts[unit]) > 10**8
        assert series.facts["threads"] == "1"
    assert many[2].peak_bytes > int(many[2].facts["bytes"])


class _Recorded:
    """A stand-in for a series, for tests of the order."""

    def __init__(self, name: str, calls: list[tuple[int, str]], dies_after: int = 99) -> None:
        self.name, self.calls, self.dies_after = name, calls, dies_after
        self.alive = True

    def turn(self, number: int, until: float) -> None:
        self.calls.append((number, self.name))
        self.alive = number < self.dies_after


def order_of(
    seed: int, names: str = "abcd", dies_after: dict[str, int] | None = None, first: int = 0
) -> list[tuple[int, str]]:
    calls: list[tuple[int, str]] = []
    many = [_Recorded(name, calls, (dies_after or {}).get(name, 99)) for name in names]
    next_one = run_rounds(many, seconds=1e-6, seed=seed, first=first, least=3)  # type: ignore[arg-type]
    assert next_one == calls[-1][0] + 1
    return calls


def test_the_order_is_the_seeds_and_everyone_has_one_turn_a_round() -> None:
    calls = order_of(seed=7)
    assert calls == order_of(seed=7)
    assert calls != order_of(seed=8)
    for number in range(3):
        assert sorted(name for n, name in calls if n == number) == list("abcd")
    orders = ["".join(name for n, name in calls if n == number) for number in range(3)]
    generator = random.Random(7)
    assert orders == ["".join(generator.sample("abcd", 4)) for _ in range(3)]


@pytest.mark.parametrize(("asked", "number"), [(1, MIN_ROUNDS), (5, MIN_ROUNDS + 4)])
def test_rounds_end_once_they_are_done_but_not_before_an_interval_can_be_trusted(asked: int, number: int) -> None:
    calls: list[tuple[int, str]] = []
    answers = iter([False] * (asked - 1) + [True])
    many = [_Recorded(name, calls) for name in "ab"]
    found = run_rounds(many, seconds=600, seed=0, first=7, done=lambda: next(answers))  # type: ignore[arg-type]
    assert found == 7 + number
    assert {n for n, _ in calls} == set(range(7, 7 + number))


def test_who_is_there_for_another_figure_has_a_turn_in_every_third_round() -> None:
    calls: list[tuple[int, str]] = []
    a, b, c = (_Recorded(name, calls) for name in "abc")
    run_rounds([a, b, c], seconds=600, seed=0, first=7, seldom=[b], done=lambda: len(calls) > 40)  # type: ignore[arg-type, list-item]
    assert {n for n, name in calls if name == "a"} == {n for n, name in calls if name == "c"} == set(range(7, 25))
    assert [n for n, name in calls if name == "b"] == [7, 10, 13, 16, 19, 22]
    assert [name for n, name in calls if n == 7][-1] == "b"  # auxiliary series come last


def test_once_the_time_is_spent_a_round_ends_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, str]] = []
    clock = SimpleNamespace(monotonic=lambda: len(calls))  # a turn takes a second
    monkeypatch.setattr(rounds, "time", clock)
    a, b, c = (_Recorded(name, calls) for name in "abc")
    assert run_rounds([a, b, c], seconds=5, seed=0, seldom=[c]) == 2  # type: ignore[arg-type, list-item]
    assert [number for number, _ in calls] == [0, 0, 0, 1, 1]
    calls.clear()
    assert run_rounds([a, b, c], seconds=1, seed=0, least=4, seldom=[c]) == 4  # type: ignore[arg-type, list-item]
    assert [n for n, name in calls if name == "c"] == [0]
    assert [n for n, name in calls if name == "a"] == [0, 1, 2, 3]


def test_rounds_are_numbered_from_the_first_on() -> None:
    assert order_of(seed=7, first=5) == [(number + 5, name) for number, name in order_of(seed=7)]


def test_one_that_died_has_no_more_turns_and_the_others_go_on() -> None:
    calls = order_of(seed=0, dies_after={"b": 0})
    assert [n for n, name in calls if name == "b"] == [0]
    assert [n for n, name in calls if name == "a"] == [0, 1, 2]
    assert order_of(seed=0, names="a", dies_after={"a": 0}) == [(0, "a")]


def steady(role: Role, ms: int, rounds: int, name: str = "a", **more) -> Series:
    turns = {number: [10**6 * ms + number] for number in range(rounds)}
    return series_of(name, role, turns=turns, **more)


def test_ratios_are_known_once_every_row_has_enough_rounds_with_the_baseline() -> None:
    baseline, control = steady(Role.BASELINE, 10, 20), steady(Role.CONTROL, 10, 20)
    row, few = steady(Role.RUNTIME, 5, MIN_ROUNDS), steady(Role.RUNTIME, 5, MIN_ROUNDS - 1)
    assert precise([row, control, baseline], 0.02, seed=0)  # whatever their order
    assert not precise([baseline, control, row, few], 0.02, seed=0)
    unsteady = series_of("b", turns={number: [10**7 * (1 + number % 3)] for number in range(20)})
    assert not precise([baseline, control, unsteady], 0.02, seed=0)
    unsteady.error = "killed by SIGKILL"
    assert precise([baseline, control, unsteady], 0.02, seed=0)


def test_series_without_a_row_keep_no_rounds_going() -> None:
    baseline, control = steady(Role.BASELINE, 10, 20), steady(Role.CONTROL, 10, 20)
    others = [steady(role, 5, 1) for role in Role if not role.has_row]
    assert precise([baseline, control, *others], 0.02, seed=0)


def test_without_the_baseline_ratios_are_to_who_is_left() -> None:
    lost = steady(Role.BASELINE, 10, 2, error="killed by SIGKILL")
    control, row = steady(Role.CONTROL, 10, 20), steady(Role.RUNTIME, 5, 20)
    assert precise([lost, control, row], 0.02, seed=0)
    assert not precise([lost, control, row, steady(Role.RUNTIME, 5, 2)], 0.02, seed=0)
    control.error = row.error = "killed by SIGKILL"
    assert precise([lost, control, row], 0.02, seed=0)


def test_turns_that_are_far_longer_than_the_baselines_leave_the_rounds() -> None:
    baseline, control = (series_of("torch-eager", role, turn_s=0.4) for role in (Role.BASELINE, Role.CONTROL))
    limit = series_of("matrix-product", Role.LIMIT, turn_s=30.0)
    near, far, deploy_last = series_of("a", turn_s=1.9), series_of("b", turn_s=2.1), series_of("b", Role.LAST_POSITION)
    failed = series_of("c", turn_s=9.0, error="killed by SIGKILL")
    deploy_last.turn_s = 14.0
    many = [baseline, control, near, far, deploy_last, failed, limit]
    assert leave_out(many, seconds=15) == [far, deploy_last]
    assert [each.too_slow for each in many] == [each in (far, deploy_last) for each in many]
    assert far.line == "call"


def test_a_long_turn_stays_where_the_time_is_enough_for_it() -> None:
    baseline, far = series_of("torch-eager", Role.BASELINE, turn_s=0.4), series_of("b", turn_s=4.0)
    assert leave_out([baseline, far], seconds=15) == [far]
    assert leave_out([baseline, far], seconds=200) == []
    assert not far.too_slow
    baseline.error = "killed by SIGKILL"
    assert leave_out([baseline, far], seconds=15) == []


def test_a_decoder_that_leaves_keeps_its_generations() -> None:
    baseline, far = (series_of(name, role, decodes=True) for name, role in (("a", Role.BASELINE), ("b", Role.RUNTIME)))
    baseline.turn_s, far.turn_s, line = 0.7, 8.1, far.line
    assert leave_out([baseline, far], seconds=15) == [far]
    assert far.line == line

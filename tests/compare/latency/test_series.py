"""Tests of series: disturbed turns are repeated, other inputs do not change the row, and failures are kept."""

import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from compare.latency import series as series_module
from compare.latency.disturbance import Load
from compare.latency.series import Role
from compare.traces import write_trace
from tests.helpers.processes import comes_true, stopped


@pytest.mark.parametrize(
    ("shares", "seconds", "turns", "disturbed"),
    [
        ([0.0], 600, {4: [1]}, {}),
        ([0.5, 0.01], 600, {4: [2]}, {4: [[1]]}),
        ([0.5, 0.4, 0.3, 0.0], 600, {}, {4: [[1], [2], [3]]}),
        ([0.5, 0.0], 0, {}, {4: [[1]]}),  # no time left to repeat it
    ],
)
def test_a_disturbed_turn_is_taken_again_while_there_is_time(
    make, monkeypatch: pytest.MonkeyPatch, shares: list[float], seconds: float, turns: dict, disturbed: dict
) -> None:
    loads = iter([Load(others=share, stolen=0.0, seconds=1.0) for share in shares])
    monkeypatch.setattr(series_module, "load_between", lambda *_: next(loads))
    series = make("onnxruntime", max_load=0.05)
    answers = iter([{"ns": [attempt]} for attempt in (1, 2, 3)])
    monkeypatch.setattr(series, "_ask", lambda *_: next(answers))
    series.turn(4, until=time.monotonic() + seconds)
    assert series.turns == turns
    assert series.disturbed == disturbed
    attempts = series.loads[4]
    assert [load.others for load in attempts] == shares[: len(attempts)]
    assert len(attempts) == sum(map(len, [*turns.values(), *disturbed.values()]))


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("crashes", "killed by SIGSEGV"),
        ("raises", "RuntimeError: no kernel for this"),
        (
            "greedy",
            "MemoryError: Unable to allocate 8.00 PiB for an array with shape (1125899906842624,) and "
            "data type float64",
        ),
        (
            "absent",
            "CannotRun: runtime absent needs no_such_package_9 (not installed); install with: pip install absent",
        ),
    ],
)
def test_one_that_fails_says_why_and_leaves_nobody_behind(fake_runtimes, make, name: str, error: str) -> None:
    series = make(name)
    series.import_libraries()
    series.load()
    series.turn(0)
    assert not series.alive
    assert series.error == error
    assert series.turns == {}
    series.process.end()
    assert comes_true(lambda: not psutil.pid_exists(series.process.pid))  # its template may still wait for it


def test_one_that_hangs_is_given_up(fake_runtimes, hangs_time_out, make) -> None:
    series = make("hangs", timeout=90)
    series.import_libraries()
    series.load()
    assert series.error == "no answer to 'load deploy' within 90 s"
    assert series.process.ended
    series.process.end()
    assert comes_true(lambda: not psutil.pid_exists(series.process.pid))  # its template may still wait for it


def test_a_worker_that_was_killed_between_turns(make) -> None:
    series = make("torch-eager")
    series.import_libraries()
    series.load()
    psutil.Process(series.process.pid).kill()
    series.process._child.process.wait()
    series.turn(0)
    assert series.error == "killed by SIGKILL"


def test_one_that_the_kernel_killed_for_want_of_memory_says_so(make, tmp_path: Path, monkeypatch) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text("low 0\noom 0\noom_kill 4\noom_group_kill 0\n")
    monkeypatch.setattr("compare.processes.memory.counters", lambda: [counter])
    early, late = make("torch-eager"), make("torch-eager")
    late.import_libraries()
    late.load()
    counter.write_text("low 0\noom 1\noom_kill 5\noom_group_kill 0\n")
    for series in (early, late):
        psutil.Process(series.process.pid).kill()
    early.import_libraries()
    late.turn(0)
    assert early.error == "killed by SIGKILL: out of memory"
    seen = f"{late.peak_bytes / 1e6:,.0f}"
    assert late.error == f"killed by SIGKILL: out of memory, {seen} MB when last seen"


def inputs(folder: Path, length: int, *, padding: int = 0, batch: int = 1) -> Path:
    ids = np.random.default_rng(length).integers(0, 256, (batch, length))
    mask = np.ones_like(ids)
    mask[:, length - padding :] = 0 if padding else 1
    name = folder / f"{length} {padding} {batch}"  # a space in it, as in a name of a shape
    write_trace(name, {"input_ids": ids, "attention_mask": mask})
    return name


def test_turns_on_other_inputs_are_not_those_of_the_row(make, tmp_path: Path) -> None:
    row = make("onnxruntime")
    row.import_libraries()
    row.load()
    row.turn(0)
    before = dict(row.turns), row.peak_bytes, row.line
    first, second = row.further(inputs(tmp_path, 8)), row.further(inputs(tmp_path, 64, batch=48))
    for other in (first, second):
        other.switch_inputs()
        assert stopped(row)
        other.turn(3)
    assert first.turns.keys() == second.turns.keys() == {3}
    assert len(first.turns[3]) > len(second.turns[3])  # each with as many calls as fill a turn of its own
    assert (row.turns, row.peak_bytes, row.line) == before
    assert row.process.switch_inputs(tmp_path / "inputs") is None
    row.turn(1)
    assert len(row.turns[1]) == len(before[0][0])
    assert row.peak_bytes == before[1]  # the memory for other inputs does not count for the row
    assert first.turns.keys() == {3}
    assert first.peak_bytes == second.peak_bytes == 0


def test_one_that_cannot_take_a_shape_goes_on_with_others_for_as_long_as_it_lives(
    fake_runtimes, make, job, ids_and_mask, tmp_path: Path
) -> None:
    write_trace(tmp_path / "inputs", {"input_ids": ids_and_mask[0], "attention_mask": np.ones_like(ids_and_mask[1])})
    row = make("inconsistent")
    row.import_libraries()
    row.load()
    row.turn(0)
    folders = [inputs(tmp_path, 12, padding=3), inputs(tmp_path, 16), inputs(tmp_path, 4), inputs(tmp_path, 20)]
    others = [row.further(folder) for folder in folders]
    for other in others:
        other.switch_inputs()
        other.turn(0)
    assert [other.error for other in others] == [
        "ValueError: no padding",
        None,
        "killed by SIGKILL",
        "killed by SIGKILL",
    ]
    assert [bool(other.turns) for other in others] == [False, True, False, False]
    assert row.error is None
    assert list(row.turns) == [0]


@pytest.mark.parametrize(
    ("first_s", "second_s", "line", "turn_s"),
    [
        (0.2, 0.25, "turn 1", 0.4),
        (0.02, 0.9, "turn 5", 0.12),  # the second call was disturbed
        (27.0, 0.01, "turn 10", 0.11),  # the first call compiled the model
        (7.1, 7.0, "turn 1", 14.0),
    ],
)
def test_the_length_of_a_turn_is_known_from_the_faster_of_two_calls(
    make, monkeypatch: pytest.MonkeyPatch, first_s: float, second_s: float, line: str, turn_s: float
) -> None:
    answers = {
        ("load deploy",): {"load_s": 1.0, "first_call_s": first_s, "facts": {"threads": "1"}},
        ("call",): {"ns": [round(1e9 * second_s)]},
    }
    series = make("onnxruntime")
    monkeypatch.setattr(series.process, "ask", lambda *lines: answers[lines])
    series.load()
    assert series.line == line
    assert series.turn_s == pytest.approx(turn_s)


def test_the_length_of_a_generation_is_known_from_a_shorter_one(make, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        ("load decode",): {"load_s": 1.0, "first_call_s": 0.3, "facts": {"threads": "1"}},
        ("generate 3",): {"prefill_ns": 200_000_000, "ns": [30_000_000, 34_000_000], "tokens": [[1, 2, 3]]},
    }
    steps = make("onnxruntime").decoding()
    monkeypatch.setattr(steps.process, "ask", lambda *lines: answers[lines])
    steps.load()
    assert steps.turn_s == pytest.approx(0.2 + 15 * 0.032)


def test_a_process_goes_on_from_passes_to_decoding_with_a_series_of_its_own(make) -> None:
    row = make("torch-eager", Role.CONTROL)
    row.import_libraries()
    row.load()
    row.turn(0)
    before = dict(row.turns), row.load_s, row.peak_bytes
    steps = row.decoding()
    assert (steps.process, steps.role, steps.facts) == (row.process, Role.CONTROL, {})
    steps.load()
    steps.turn(1)
    assert steps.error is None
    assert (list(steps.turns), list(steps.prefills)) == ([1], [1])
    assert len(steps.turns[1]) == len(steps.tokens[0]) - 1
    assert steps.load_s > 0 < steps.peak_bytes
    assert (row.turns, row.load_s, row.peak_bytes) == before


def test_what_comes_after_one_that_failed_has_failed_too(fake_runtimes, make) -> None:
    row = make("raises")
    row.import_libraries()
    row.load()
    for other in (row.decoding(), row.further()):
        assert other.error == row.error == "RuntimeError: no kernel for this"

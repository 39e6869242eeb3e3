"""Tests of the grid and of pairs of rounds over several shifts, and of their results in the report."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from compare.latency.grid import Cell
from compare.latency.interference import Interference
from compare.latency.series import Role, Series
from compare.latency.shifts import Shift
from compare.pipeline.assemble_latency import grid_parts, interference_parts
from compare.pipeline.latency_stage import take_grid, take_interference
from compare.pipeline.settings import LatencySettings
from compare.pipeline.shapes import Shape
from compare.processes.child import ChildFailed
from tests.helpers.progress import Recorder

SMALL, LARGE = Shape(8, 1), Shape(16, 2)


class Fake:
    """A stand-in for a worker process that records its commands. A call takes ten milliseconds times `speed`."""

    def __init__(self, name: str, told: list[str], *, speed: int = 1, refuses: str = "", dies_on: str = "") -> None:
        self.name, self.told, self.speed, self.max_load = name, told, speed, 1.0
        self.refuses, self.dies_on = refuses, dies_on
        self.folder = "inputs"

    def switch_inputs(self, folder: Path) -> str | None:
        self.folder = folder.name
        self.told.append(f"{self.name} {folder.name}")
        return "ValueError: fixed shapes" if folder.name == self.refuses else None

    def ask(self, *lines: str) -> dict[str, list[int]]:
        turn = lines[-1]
        if self.folder == self.dies_on:
            raise ChildFailed("killed by SIGKILL")
        assert self.folder != "inputs" or turn == "turn 7"
        calls = 1 if turn == "call" else int(turn.split()[1])
        return {"ns": [self.speed * 10**7] * calls}

    def left_awake(self) -> nullcontext[None]:
        return nullcontext()


def row(name: str, told: list[str], role: Role = Role.RUNTIME, **more) -> Series:
    """Return a loaded series on a stand-in."""
    return Series(Fake(name, told, **more), role, role.graph, line="turn 7")  # type: ignore[arg-type]


def pair_of(told: list[str]) -> list[Series]:
    return [row("eager", told, Role.BASELINE), row("eager", told, Role.CONTROL)]


def shift_of(late: list[Series], pair: list[Series], *limits: Series) -> Shift:
    return Shift([*pair, *limits], late, share=1.0)


def fake_run() -> SimpleNamespace:
    return SimpleNamespace(
        latency=LatencySettings(min_rounds=3),
        phase=lambda _: nullcontext(),
        progress=Recorder(),
        input_folder=Path("inputs"),
    )


def taken(*shifts: Shift) -> dict[Shape, Cell]:
    cells = {shape: Cell(Path("grid") / str(shape)) for shape in (SMALL, LARGE)}
    for shift in shifts:
        take_grid(fake_run(), cells, shift, 1e-6)  # type: ignore[arg-type]
    return cells


def test_cells_have_rounds_of_their_own_and_then_all_have_their_inputs_again() -> None:
    told: list[str] = []
    pair, late = pair_of(told), [row("a", told, speed=3), row("a", told, Role.OBSERVER)]
    shift = shift_of(late, pair, row("limit", told, Role.LIMIT))
    small, large = grid_parts(taken(shift), seed=0)
    assert told == [
        *["eager 8 x 1"] * 2,
        "a 8 x 1",
        *["eager 16 x 2"] * 2,
        "a 16 x 2",
        *["eager inputs"] * 2,
        "a inputs",
    ]
    for cell, shape in ((small, SMALL), (large, LARGE)):
        assert (cell.sequence, cell.batch, cell.rounds) == (*shape, 3)
        rows = [(part.runtime, part.again) for part in cell.latency]
        assert rows == [("eager", False), ("eager", True), ("a", False)]
        assert [list(part.turns) for part in cell.latency] == [[0, 1, 2]] * 3
        assert [len(part.turns[0]) for part in cell.latency] == [10, 10, 3]  # as many calls as fill a turn
        assert [part.median_ms for part in cell.latency] == [10, 10, 30]
        assert cell.latency[0].ratio is None
        assert cell.latency[2].ratio.estimate == pytest.approx(3)
        assert all(part.load_s is None and part.peak_bytes is None for part in cell.latency)
    assert all(each.turns == {} for each in shift.series)


def test_a_cell_goes_on_in_the_next_shift() -> None:
    told: list[str] = []
    pair = pair_of(told)
    shifts = [shift_of([row(name, told)], pair) for name in "ab"]
    (small, _) = grid_parts(taken(*shifts), seed=0)
    assert small.rounds == 6
    assert [list(part.turns) for part in small.latency] == [[*range(6)], [*range(6)], [0, 1, 2], [3, 4, 5]]
    assert all(part.ratio is not None for part in small.latency[1:])


def test_one_that_fails_in_a_cell_has_an_error_there_and_its_row_has_none() -> None:
    told: list[str] = []
    baseline, lost = row("eager", told, Role.BASELINE), row("lost", told)
    picky, frail = row("picky", told, refuses=str(SMALL)), row("frail", told, dies_on=str(LARGE))
    lost.error = "not timed, because its trace failed"
    small, large = grid_parts(taken(shift_of([picky, frail, lost], [baseline])), seed=0)
    assert [part.error for part in small.latency] == [None, "ValueError: fixed shapes", None, lost.error]
    assert [part.error for part in large.latency] == [None, None, "killed by SIGKILL", lost.error]
    assert [each.error for each in (baseline, picky, frail)] == [None] * 3
    assert not any(call.startswith("lost") for call in told)
    assert [part.median_ms for part in small.latency] == [10, None, 10, None]


def test_a_cell_that_no_runtime_can_run_does_not_end_the_grid() -> None:
    alone = row("eager", [], Role.BASELINE, refuses=str(SMALL))
    small, large = grid_parts(taken(shift_of([], [alone])), seed=0)
    assert (small.rounds, large.rounds) == (0, 3)


def test_runtimes_alone_take_part_in_pairs_and_go_on_in_the_next_shift() -> None:
    pair = pair_of([])
    first = shift_of([row("a", [], speed=2), row("a", [], Role.OBSERVER)], pair, row("limit", [], Role.LIMIT))
    found = Interference()
    for shift in (first, shift_of([row("b", [])], pair)):
        take_interference(fake_run(), found, shift, 1e-6)  # type: ignore[arg-type]
    parts = interference_parts(found, seed=0)
    assert [(part.runtime, part.again) for part in parts] == [
        *[("eager", False), ("eager", True)],
        ("a", False),
        ("b", False),
    ]
    assert [list(part.beside.turns) for part in parts] == [[*range(6)], [*range(6)], [0, 1, 2], [3, 4, 5]]
    assert parts[0].ratio_beside is parts[0].ratio_alone is None
    assert parts[2].ratio_beside.estimate == parts[2].ratio_alone.estimate == pytest.approx(2)
    assert [part.alone_ms for part in parts] == [10, 10, 20, 10]
    assert all(each.turns == {} for each in first.series)

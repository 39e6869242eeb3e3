"""The grid of inputs: its words, and cells in rounds of their own; pairs of rounds, shift by shift."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from compare.latency.worker_process import Timing
from compare.pipeline.grid import Cell, grid_inputs, grid_parts, take_cells
from compare.pipeline.interference import Interference, interference_parts, take_pairs
from compare.pipeline.settings import Settings, check_settings
from compare.pipeline.shapes import Shape, shapes_of
from compare.processes.child import ChildFailed
from export.errors import BadInput

SMALL, LARGE = Shape(8, 1), Shape(16, 2)


@pytest.mark.parametrize(
    ("words", "shapes"),
    [
        ("32x1", [Shape(32, 1)]),
        (" 32, 8 x 4,1 ", [Shape(32, 4), Shape(8, 4), Shape(32, 1), Shape(8, 1)]),
        ("8,8x2,2", [Shape(8, 2)]),
    ],
)
def test_words_of_a_grid(words: str, shapes: list[Shape]) -> None:
    assert shapes_of(words) == shapes
    check_settings(Settings(grid=words))


@pytest.mark.parametrize("words", ["", "32", "x", "32x", "x4", "8x1x2", "8,x1", "0x1", "8x0", "-8x1", "8.5x1", "8*1"])
def test_other_words_are_no_grid(words: str) -> None:
    with pytest.raises(BadInput) as raised:
        check_settings(Settings(grid=words))
    form = "it takes SEQUENCESxBATCHES, numbers of 1 or more with commas between, as in 32,128x1,4"
    assert str(raised.value) == f"--grid is {words!r}; {form}"


def test_a_grid_takes_a_model() -> None:
    with pytest.raises(BadInput, match="--grid goes with a model, whose tokenizer makes its inputs"):
        check_settings(Settings(grid="8x1", onnx=Path("a.onnx"), baseline=Path("b.onnx")))


def test_inputs_of_every_shape(entry) -> None:
    found = grid_inputs(entry, Settings(grid="8,16x1,3", text="To be, or not to be.", sequence=4, batch=2))
    assert {shape: inputs.input_ids.shape for shape, inputs in found.items()} == {
        Shape(sequence, batch): (batch, sequence) for batch in (1, 3) for sequence in (8, 16)
    }
    assert grid_inputs(entry, Settings()) == {}


@pytest.mark.parametrize(
    ("grid", "text", "message"),
    [
        ("8,65x1", None, "--grid asks for 65 tokens and the model has 64 positions; it takes 1 to 64"),
        ("8x1", "four", "--grid asks for 8 tokens and the text has 4; ask for 1 to 4, or give a longer text"),
    ],
)
def test_a_sequence_that_is_too_long(entry, grid: str, text: str | None, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        grid_inputs(entry, Settings(grid=grid, text=text))


class Fake:
    """Stands in for a loaded worker: says what it was told, and takes as many nanoseconds as `speed` tokens do."""

    def __init__(self, name: str, told: list[str], *, speed: int = 1, graph: str = "deploy", **more) -> None:
        self.timing = Timing(name, more.pop("again", False), graph, **more)  # type: ignore[arg-type]
        self.told, self.speed, self.usual_turn, self.max_load = told, speed, "turn 7", 1.0
        self.refuses: tuple[str, ...] = ()
        self.dies_on = ""
        self.folder = "inputs"

    @property
    def alive(self) -> bool:
        return self.timing.error is None

    def switch_inputs(self, folder: Path) -> str | None:
        self.folder = folder.name
        self.told.append(f"{self.timing.runtime} {folder.name}")
        return "ValueError: fixed shapes" if folder.name in self.refuses else None

    def tell(self, *lines: str) -> dict[str, list[int]]:
        turn = lines[-1]
        if self.folder == self.dies_on:
            raise ChildFailed("killed by SIGKILL")
        assert self.folder != "inputs" or turn == "turn 7"
        return {"ns": [self.speed * 10**7] * int(turn.split()[1])}

    def left_awake(self) -> nullcontext[None]:
        return nullcontext()


def fake_run() -> SimpleNamespace:
    return SimpleNamespace(
        settings=Settings(min_rounds=3),
        phase=lambda _: nullcontext(),
        say=lambda _: None,
        input_folder=Path("inputs"),
        grid_folder=lambda shape: Path("grid") / str(shape),
    )


def taken(*shifts: list[Fake]) -> list[Cell]:
    cells = [Cell(SMALL), Cell(LARGE)]
    for shift in shifts:
        take_cells(fake_run(), cells, shift, 1e-6)  # type: ignore[arg-type]
    return cells


def test_cells_have_rounds_of_their_own_and_then_all_have_their_inputs_again() -> None:
    told: list[str] = []
    pair = [Fake("eager", told), Fake("eager", told, again=True)]
    others = [Fake("a", told, speed=3), Fake("a", told, graph="inspect"), Fake("limit", told, graph="limit")]
    small, large = grid_parts(taken(pair + others), seed=0)
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
        assert [(row.runtime, row.again) for row in cell.latency] == [("eager", False), ("eager", True), ("a", False)]
        assert [list(row.turns) for row in cell.latency] == [[0, 1, 2]] * 3
        assert [len(row.turns[0]) for row in cell.latency] == [10, 10, 3]  # as many calls as fill a turn
        assert [row.median_ms for row in cell.latency] == [10, 10, 30]
        assert cell.latency[0].ratio is None
        assert cell.latency[2].ratio.estimate == pytest.approx(3)
        assert all(row.load_s is None and row.peak_bytes is None for row in cell.latency)
    assert all(worker.timing.turns == {} for worker in pair + others)


def test_a_cell_goes_on_in_the_next_shift() -> None:
    told: list[str] = []
    pair = [Fake("eager", told), Fake("eager", told, again=True)]
    (small, _) = grid_parts(taken([*pair, Fake("a", told)], [*pair, Fake("b", told)]), seed=0)
    assert small.rounds == 6
    assert [list(row.turns) for row in small.latency] == [[*range(6)], [*range(6)], [0, 1, 2], [3, 4, 5]]
    assert all(row.ratio is not None for row in small.latency[1:])


def test_one_that_fails_in_a_cell_has_an_error_there_and_its_row_has_none() -> None:
    told: list[str] = []
    baseline, picky, frail, lost = (Fake(name, told) for name in ("eager", "picky", "frail", "lost"))
    picky.refuses, frail.dies_on, lost.timing.error = (str(SMALL),), str(LARGE), "not timed, because its trace failed"
    small, large = grid_parts(taken([baseline, picky, frail, lost]), seed=0)
    assert [row.error for row in small.latency] == [None, "ValueError: fixed shapes", None, lost.timing.error]
    assert [row.error for row in large.latency] == [None, None, "killed by SIGKILL", lost.timing.error]
    assert [worker.timing.error for worker in (baseline, picky, frail)] == [None] * 3
    assert not any(call.startswith("lost") for call in told)
    assert [row.median_ms for row in small.latency] == [10, None, 10, None]


def test_a_cell_in_which_nobody_can_run_is_no_end() -> None:
    alone = Fake("eager", [])
    alone.refuses = (str(SMALL),)
    small, large = grid_parts(taken([alone]), seed=0)
    assert (small.rounds, large.rounds) == (0, 3)


def test_runtimes_alone_take_part_in_pairs_and_go_on_in_the_next_shift() -> None:
    pair = [Fake("eager", []), Fake("eager", [], again=True)]
    first = [*pair, Fake("a", [], speed=2), Fake("a", [], graph="inspect"), Fake("limit", [], graph="limit")]
    found = Interference()
    for shift in (first, [*pair, Fake("b", [])]):
        take_pairs(fake_run(), found, shift, 1e-6)  # type: ignore[arg-type]
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
    assert all(worker.timing.turns == {} for worker in first)

"""Latency on other lengths of a sequence and sizes of a batch, in the processes that were timed already.

Each shape is a cell: rounds of its own, in turns that the rows of the comparison never see.
"""

from dataclasses import dataclass, field

from compare.latency.interference import Aside
from compare.latency.precision import precise
from compare.latency.worker_process import Worker, run_rounds
from compare.pipeline.assemble import samples_part
from compare.pipeline.context import Run
from compare.pipeline.inputs import Inputs, tokenize
from compare.pipeline.settings import Settings
from compare.pipeline.shapes import Shape, shapes_of
from compare.report.latency_parts import GridCell
from compare.traces import write_trace
from export.cache import Entry


@dataclass
class Cell:
    """A shape, how many rounds it had over all shifts, and each worker's turns in them, the baseline's first."""

    shape: Shape
    rounds: int = 0
    asides: dict[Worker, Aside] = field(default_factory=dict)


def grid_inputs(entry: Entry, settings: Settings) -> dict[Shape, Inputs]:
    """The inputs of every shape that was asked for. Raises `BadInput` for one that text or model are too short for."""
    return {
        shape: tokenize(
            entry.folder,
            text=settings.text,
            sequence=shape.sequence,
            batch=shape.batch,
            positions=entry.manifest.model["positions"],
            option="--grid",
        )
        for shape in (shapes_of(settings.grid) if settings.grid is not None else [])
    }


def make_cells(run: Run) -> list[Cell]:
    """The cells of a run's grid, their inputs written where workers find them."""
    for shape, inputs in run.grid.items():
        tensors = {"input_ids": inputs.input_ids, "attention_mask": inputs.attention_mask}
        write_trace(run.grid_folder(shape), tensors)
    return [Cell(shape) for shape in run.grid]


def take_cells(run: Run, cells: list[Cell], shift: list[Worker], seconds: float) -> None:
    """The rounds of a shift's runtimes on every cell, `seconds` at most on each; then they have their own inputs again.

    One that cannot take a shape has an error in that cell, and goes on in the others if it lives.
    """
    mine = [worker for worker in shift if worker.timing.graph == "deploy"]
    with run.phase("grid"):
        for cell in cells:
            run.say(f"timing {cell.shape} tokens x sequences")
            _take_cell(run, cell, mine, seconds)
        for worker in mine if cells else []:
            if worker.alive:
                worker.switch_inputs(run.input_folder)


def _take_cell(run: Run, cell: Cell, workers: list[Worker], seconds: float) -> None:
    precision, seed = run.settings.precision, run.settings.seed
    asides = [cell.asides.setdefault(worker, Aside(worker)) for worker in workers]
    for aside in asides:
        aside.switch_inputs(run.grid_folder(cell.shape))
    cell.rounds = run_rounds(
        asides,
        seconds=seconds,
        seed=seed,
        first=cell.rounds,
        least=run.settings.min_rounds,
        done=lambda: precise(asides, precision, seed),
    )


def grid_parts(cells: list[Cell], seed: int) -> list[GridCell]:
    """What the report keeps of each cell."""
    return [_part(cell, seed) for cell in cells]


def _part(cell: Cell, seed: int) -> GridCell:
    timings = [aside.timing for aside in cell.asides.values()]
    return GridCell(
        sequence=cell.shape.sequence,
        batch=cell.shape.batch,
        rounds=cell.rounds,
        latency=[samples_part(timing, timings[0], seed) for timing in timings],
    )

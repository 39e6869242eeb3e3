"""The latency stage: load every row that can be timed, one by one, then take rounds.

If memory cannot hold all of them, they are timed in shifts. The baseline is in each shift, because ratios are paired by
round.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from compare.latency.grid import Cell
from compare.latency.interference import Interference
from compare.latency.rounds import precise, run_rounds
from compare.latency.series import Role, Series
from compare.latency.shifts import Shift, shifts
from compare.pipeline.context import BESIDE, Run
from compare.pipeline.recheck_stage import (
    LastPosition,
    Observer,
    last_position,
    observer,
    self_gaps,
    with_baseline_gap,
    write_variants,
)
from compare.pipeline.shapes import Shape
from compare.results.reruns import RerunGaps
from compare.runtimes.registry import GRAPH_RUNTIME
from compare.traces import write_trace


@dataclass
class Latency:
    """The results of the latency stage."""

    #: The series of every row, of further graphs, and of the machine's limits; empty if latency is off.
    series: list[Series] = field(default_factory=list)
    #: The number of rounds, over all shifts.
    rounds: int = 0
    #: The number of shifts.
    shifts: int = 0
    #: The reruns of each timed runtime.
    self_gaps: list[RerunGaps] = field(default_factory=list)
    #: The observer effect; None if no ONNX graph was timed.
    observer: Observer | None = None
    #: The graph for the last position; None if it was not timed.
    last: LastPosition | None = None
    #: Each row's times alone and with the others awake; empty if interference is off.
    interference: Interference = field(default_factory=Interference)
    #: The cells of the grid; empty if there is none.
    cells: dict[Shape, Cell] = field(default_factory=dict)

    @property
    def all_series(self) -> list[Series]:
        """All series of the stage: those of `series`, of interference and of the grid."""
        cells = [each for cell in self.cells.values() for each in cell.series.values()]
        return [*self.series, *self.interference.series, *cells]


def take_latency(run: Run, started: Sequence[Series], *, seconds: float, failed: set[str]) -> Latency:
    """Time forward passes, shift by shift; then measure interference, grid and reruns before the shift ends.

    started: the series of all started processes. seconds: the time limit of the rounds, over all shifts. failed: the
    rows whose trace failed; they are not timed.
    """
    if not started:
        return Latency()
    latency = Latency([each for each in started if not each.decodes], cells=make_cells(run))
    variants = write_variants(run)
    for shift in shifts_of(run, latency.series, failed):
        latency.rounds = take_rounds(run, shift, seconds, first=latency.rounds)
        latency.shifts += 1
        if run.latency.interference:
            take_interference(run, latency.interference, shift, shift.share * seconds / 2)
        take_grid(run, latency.cells, shift, shift.share * run.latency.time)
        with run.phase("runs again"):
            latency.self_gaps += self_gaps(run, shift.late, variants)
            latency.observer = latency.observer or observer(run, shift.late)
            latency.last = latency.last or last_position(run, shift.late)
    with run.phase("runs again"):
        baseline = [each for each in latency.series if each.role is Role.BASELINE]
        latency.self_gaps = with_baseline_gap(run, self_gaps(run, baseline, variants) + latency.self_gaps)
    return latency


def shifts_of(run: Run, series: Sequence[Series], failed: set[str]) -> Iterator[Shift]:
    """Yield the shifts of some series, with the rows of two exporters in one shift. Rows in `failed` are not timed."""
    for each in series:
        if each.runtime in failed:
            each.give_up("not timed, because its trace failed")
    limit = run.latency.memory
    return shifts(
        series,
        memory=None if limit is None else limit * 1e9,
        companions={BESIDE: GRAPH_RUNTIME},
        loading=lambda: run.phase("load for latency"),
    )


def take_rounds(run: Run, shift: Shift, seconds: float, *, first: int) -> int:
    """Take the rounds of a shift. Return the number of the next round.

    seconds: the time limit over all shifts, of which this one gets its share. first: the number of the first round.
    """
    precision, seed = run.latency.precision, run.latency.seed
    run.say(
        f"timing {sum(each.alive for each in shift.series)} processes in turns, "
        f"until every ratio is known to {100 * precision:g} % or {shift.share * seconds:.3g} s are spent"
    )
    with run.phase("rounds"):
        return run_rounds(
            shift.series,
            seconds=shift.share * seconds,
            seed=seed,
            first=first,
            least=run.latency.min_rounds,
            seldom=[each for each in shift.series if each.role.auxiliary],
            done=lambda: precise(shift.series, precision, seed),
        )


def take_interference(run: Run, interference: Interference, shift: Shift, seconds: float) -> None:
    """Time the rows of a shift in pairs of rounds, on the run's own inputs. Other processes stay suspended.

    seconds: the time limit.
    """
    rows = shift.rows
    run.say(f"timing {sum(each.alive for each in rows)} processes for {seconds:.3g} s, with none of them suspended")
    with run.phase("interference"):
        interference.measure(rows, seconds=seconds, seed=run.latency.seed, least=run.latency.min_rounds)


def make_cells(run: Run) -> dict[Shape, Cell]:
    """Return the cells of a run's grid, and write their inputs to the folders that worker processes read."""
    for shape, inputs in run.grid.items():
        tensors = {"input_ids": inputs.input_ids, "attention_mask": inputs.attention_mask}
        write_trace(run.grid_folder(shape), tensors)
    return {shape: Cell(run.grid_folder(shape)) for shape in run.grid}


def take_grid(run: Run, cells: dict[Shape, Cell], shift: Shift, seconds: float) -> None:
    """Time the rows of a shift on every cell of the grid, then switch them back to the run's own inputs.

    seconds: the time limit of each cell.
    """
    with run.phase("grid"):
        for shape, cell in cells.items():
            run.say(f"timing the shape {shape} (tokens x sequences)")
            cell.measure(
                shift.rows,
                seconds=seconds,
                seed=run.latency.seed,
                least=run.latency.min_rounds,
                precision=run.latency.precision,
            )
        for row in shift.rows if cells else []:
            if row.alive:
                row.process.switch_inputs(run.input_folder)

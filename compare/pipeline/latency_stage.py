"""The latency stage: load every row that can be timed, one by one, then take rounds.

If memory cannot hold all of them, they are timed in shifts. The baseline is in each shift, because ratios are paired by
round.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isinf

from compare.latency.grid import Cell
from compare.latency.interference import Interference
from compare.latency.rounds import MIN_ROUNDS, SLOW_SHARE, half_widths, leave_out, precise, run_rounds
from compare.latency.series import Role, Series
from compare.latency.shifts import Shift, shifts
from compare.pipeline.assemble_samples import rows_so_far
from compare.pipeline.context import BESIDE, Run
from compare.pipeline.inputs import write_ids_and_mask
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
from compare.pipeline.stages import DECODING, GRID, INTERFERENCE, LOADING, RERUNS, ROUNDS
from compare.results.reruns import RerunGaps
from compare.runtimes.registry import GRAPH_RUNTIME


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
        latency.rounds = take_rounds(run, shift, seconds, first=latency.rounds, stage=ROUNDS, shown=latency.series)
        latency.shifts += 1
        if run.latency.interference:
            take_interference(run, latency.interference, shift, shift.share * run.time / 2)
        take_grid(run, latency.cells, shift, shift.share * run.time)
        what = "each runtime runs again: " + ", ".join(variant.name for variant in variants)
        run.progress.stage(RERUNS, what)
        with run.untimed_phase("runs again"):
            latency.self_gaps += self_gaps(run, shift.late, variants)
            latency.observer = latency.observer or observer(run, shift.late)
            latency.last = latency.last or last_position(run, shift.late)
    with run.untimed_phase("runs again"):
        baseline = [each for each in latency.series if each.role is Role.BASELINE]
        latency.self_gaps = with_baseline_gap(run, self_gaps(run, baseline, variants) + latency.self_gaps)
    return latency


def shifts_of(run: Run, series: Sequence[Series], failed: set[str]) -> Iterator[Shift]:
    """Yield the shifts of some series, with the rows of two exporters in one shift. Rows in `failed` are not timed."""
    for each in series:
        if each.runtime in failed:
            each.give_up("not timed, because its trace failed")
    limit, loaded, begun = run.latency.memory, 0, False

    @contextmanager
    def loading(each: Series) -> Iterator[None]:
        nonlocal loaded, begun
        if not begun:
            run.progress.stage(LOADING, "each process loads its graph and makes a first call")
        begun, loaded = True, loaded + 1
        run.progress.waits(f"{each.runtime}, process {loaded} of {len(series)}")
        with run.untimed_phase("load for latency"):
            yield

    for shift in shifts(
        series,
        memory=None if limit is None else limit * 1e9,
        companions={BESIDE: GRAPH_RUNTIME},
        loading=loading,
    ):
        yield shift
        begun = False


def take_rounds(run: Run, shift: Shift, seconds: float, *, first: int, stage: str, shown: Sequence[Series]) -> int:
    """Take the rounds of a shift. Return the number of the next round.

    seconds: the time limit over all shifts, of which this one gets its share. first: the number of the first round.
    stage: the name of the stage. shown: the series of all shifts, whose results are shown between rounds.

    Series whose turns are too long leave the rounds. Afterwards they have a few rounds with the baseline and the
    machine's limits.
    """
    precision, seed = run.latency.precision, run.latency.seed
    seconds *= shift.share
    slow = leave_out(shift.series, seconds)
    present = [each for each in shift.series if not each.too_slow]
    main = (1 - SLOW_SHARE) * seconds if slow else seconds
    run.progress.stage(
        stage,
        f"timing {sum(each.alive for each in present)} processes in turns, "
        f"until every ratio is known to {100 * precision:g} % or {main:.3g} s are spent",
    )

    clock = clock_words(main)

    def between(number: int) -> None:
        if run.progress.due():
            known = known_words(present, precision, seed)
            run.progress.waits(f"{number - first} rounds, {clock()}; {known}")
            rows = rows_so_far(shown, seed)
            run.progress.results(**{"decoding" if stage == DECODING else "latency": rows})

    with run.phase("rounds"):
        number = run_rounds(
            present,
            seconds=main,
            seed=seed,
            first=first,
            least=run.latency.rounds,
            seldom=[each for each in present if each.role.auxiliary],
            done=lambda: precise(present, precision, seed),
            between=between,
        )
        if not slow:
            return number
        run.progress.waits(f"too slow for these rounds: {', '.join(each.runtime for each in slow)}")
        partners = [each for each in shift.residents if each.role is not Role.CONTROL]
        return run_rounds(
            [*partners, *slow],
            seconds=SLOW_SHARE * seconds,
            seed=seed,
            first=number,
            least=run.latency.rounds_apart,
        )


def known_words(series: Sequence[Series], precision: float, seed: int) -> str:
    """Say which ratio is known least and how closely, such as "onnxruntime known to ±4 %, wanted ±2 %"."""
    widths = half_widths(series, seed)
    widest = max(widths, key=lambda each: widths[each], default=None)
    if widest is None:
        return "no ratio to measure"
    if isinf(widths[widest]):
        return f"{widest.runtime} has fewer than {MIN_ROUNDS} undisturbed rounds"
    return f"{widest.runtime} known to ±{100 * widths[widest]:.2g} %, wanted ±{100 * precision:g} %"


def clock_words(seconds: float) -> Callable[[], str]:
    """Return a function that says how much of a time limit has passed since this call, such as "18 of 30 s"."""
    began = time.monotonic()
    return lambda: f"{time.monotonic() - began:.0f} of {seconds:.3g} s"


def take_interference(run: Run, interference: Interference, shift: Shift, seconds: float) -> None:
    """Time the rows of a shift in pairs of rounds, on the run's own inputs. Other processes stay suspended.

    seconds: the time limit. Rows that were too slow for the rounds are left out.
    """
    rows = [row for row in shift.rows if not row.too_slow]
    what = f"timing {sum(each.alive for each in rows)} processes for {seconds:.3g} s, with none of them suspended"
    run.progress.stage(INTERFERENCE, what)
    clock = clock_words(seconds)

    def between(number: int) -> None:
        if run.progress.due():
            run.progress.waits(f"{number} pairs of rounds, {clock()}")

    with run.phase("interference"):
        interference.measure(
            rows,
            seconds=seconds,
            seed=run.latency.seed,
            least=run.latency.rounds_apart,
            between=between,
        )


def make_cells(run: Run) -> dict[Shape, Cell]:
    """Return the cells of a run's grid, and write their inputs to the folders that worker processes read."""
    for shape, inputs in run.grid.items():
        write_ids_and_mask(run.grid_folder(shape), inputs.input_ids, inputs.attention_mask)
    return {shape: Cell(run.grid_folder(shape)) for shape in run.grid}


def take_grid(run: Run, cells: dict[Shape, Cell], shift: Shift, seconds: float) -> None:
    """Time the rows of a shift on every cell of the grid, then switch them back to the run's own inputs.

    seconds: the time limit of each cell. Rows that were too slow for the rounds are left out.
    """
    rows = [row for row in shift.rows if not row.too_slow]

    def between(number: int) -> None:
        if run.progress.due():
            run.progress.waits(f"{number} rounds, {clock()}")

    with run.phase("grid"):
        for place, (shape, cell) in enumerate(cells.items(), start=1):
            what = f"cell {place} of {len(cells)}, timing {shape.batch} sequences of {shape.sequence} tokens"
            run.progress.stage(GRID, what)
            clock = clock_words(seconds)
            cell.measure(
                rows,
                seconds=seconds,
                seed=run.latency.seed,
                least=run.latency.rounds_apart,
                precision=run.latency.precision,
                between=between,
            )
        for row in rows if cells else []:
            if row.alive:
                row.process.switch_inputs(run.input_folder)

"""The latency of a comparison: a worker for every row that can be timed, loaded one by one, then rounds in turns.

Where memory does not hold all of them, they come in shifts, the baseline in each: ratios are paired round by round.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from compare.latency.machine_limits import BANDWIDTH, COMPUTE
from compare.latency.precision import precise
from compare.latency.worker_process import Timing, Worker, run_rounds
from compare.pipeline.context import BESIDE, ModelRun, Row, Run
from compare.pipeline.grid import Cell, make_cells, take_cells
from compare.pipeline.interference import Interference, take_pairs
from compare.pipeline.recheck_stage import beside_baseline, last_position, make_ladder, observer, self_gaps
from compare.processes.memory import available_bytes
from compare.report.latency_parts import LastPart, ObserverPart, SelfGapsPart
from compare.runtimes.registry import BASELINE, GRAPH_RUNTIME, Graph

#: A worker is taken to need so many times the largest memory that any before it reached.
ROOM = 1.2


@dataclass
class Latency:
    """What the workers showed. rounds: how many there were, over all shifts. cells: of the grid that was asked for.

    interference: what each read beside the others; with nothing in it where that was not asked for.
    """

    rounds: int = 0
    shifts: int = 0
    self_gaps: list[SelfGapsPart] = field(default_factory=list)
    observer: ObserverPart | None = None
    last: LastPart | None = None
    interference: Interference = field(default_factory=Interference)
    cells: list[Cell] = field(default_factory=list)

    @property
    def further_timings(self) -> list[Timing]:
        """The turns that are not in the rows of the comparison: those of interference and of the grid."""
        pairs = [aside for pair in self.interference.pairs.values() for aside in (pair.alone, pair.beside)]
        return [aside.timing for aside in [*pairs, *(aside for cell in self.cells for aside in cell.asides.values())]]


@contextmanager
def workers_of(run: Run) -> Iterator[list[Worker]]:
    """The latency workers of a run, while this is open; then they are ended, and the scratch folder goes.

    None where nothing is to be timed.
    """
    workers = [*start_workers(run), *limit_workers(run), *start_decoders(run)] if run.settings.latency else []
    try:
        yield workers
    finally:
        for worker in workers:
            worker.end()
        if not run.settings.keep_traces:
            shutil.rmtree(run.scratch, ignore_errors=True)
        remove_if_empty(run.out / "logs")


def start_workers(run: Run) -> list[Worker]:
    """A latency worker for every runtime that can be timed, and the baseline twice: the second is the A/A row.

    The last are for other graphs of one row, where it is there: every tap exposed, and the last position's logits
    alone. All sleep at once; their libraries are imported while the traces run, because importing is not timed.
    """
    timed = [row for row in run.rows if not row.spec.hybrid and not row.spec.missing()]
    graphs: list[tuple[Row, Graph]] = [(row, "deploy") for row in [run.rows[0], *timed]]
    graphs += [(row, graph) for row in timed if row.name == GRAPH_RUNTIME for graph in ("inspect", "deploy-last")]
    return [
        Worker(
            row.name,
            {
                "runtime": row.spec.name,
                "model": row.folder,
                "graph": graph,
                "inputs": run.input_folder,
                "positions": run.positions,
                "rungs": run.rungs_folder,
                "out": run.self_folder(row.name, graph),
            },
            threads=run.threads,
            log=run.log(f"latency-{place}-{row.name}"),
            timeout=run.settings.timeout,
            again=place == 1,
            cpus=run.cpus,
            max_load=run.max_load,
        )
        for place, (row, graph) in enumerate(graphs)
    ]


def start_decoders(run: Run) -> list[Worker]:
    """A worker for every runtime that decodes and does nothing else; the others go on from passes to steps."""
    if not isinstance(run, ModelRun):
        return []
    others = {row.name for row in run.rows}
    return [decoder(run, row) for row in run.decoders if row.name not in others and not row.spec.missing()]


def decoder(run: ModelRun, row: Row, *, again: bool = False) -> Worker:
    """A worker that decodes from the beginning."""
    return Worker(
        row.name,
        {
            "runtime": row.spec.name,
            "model": row.folder,
            "graph": "decode",
            "inputs": run.input_folder,
            "positions": run.positions,
            "out": run.self_folder(row.name),
        },
        threads=run.threads,
        log=run.log(f"decode-{row.name}{'-again' if again else ''}"),
        timeout=run.settings.timeout,
        again=again,
        cpus=run.cpus,
        max_load=run.max_load,
    )


def limit_workers(run: Run) -> list[Worker]:
    """A worker for each of the machine's limits; none where two ONNX files are compared: their work is not counted."""
    if run.rows[0].spec.name != BASELINE:
        return []
    job = {"model": run.rows[0].folder, "graph": "limit", "inputs": run.input_folder}
    return [
        Worker(
            limit.name,
            {**job, "runtime": limit.name},
            threads=run.threads,
            log=run.log(f"latency-{limit.name}"),
            timeout=run.settings.timeout,
            cpus=run.cpus,
            max_load=run.max_load,
        )
        for limit in (COMPUTE, BANDWIDTH)
    ]


@dataclass(frozen=True)
class Shift:
    """Workers that are loaded and resident together. workers: all of them, those first that are in every shift.

    late: those that are in no other shift. share: of all that are in one shift alone, so of the time there is.
    """

    workers: list[Worker]
    late: list[Worker]
    share: float


def take_latency(run: Run, workers: list[Worker], *, seconds: float, failed: set[str]) -> Latency:
    """Rounds of forward passes in turns, shift by shift, and what else the workers of each are asked before they go.

    seconds: how long the rounds take at most, over all shifts. failed: the rows whose trace failed; they have no place
    in the rounds.
    """
    if not workers:
        return Latency()
    found, ladder = Latency(cells=make_cells(run)), make_ladder(run)
    workers = [worker for worker in workers if worker.timing.graph != "decode"]
    for shift in shifts(run, workers, failed):
        found.rounds = take_rounds(run, shift, seconds, first=found.rounds)
        found.shifts += 1
        if run.settings.interference:
            take_pairs(run, found.interference, shift.workers, shift.share * seconds / 2)
        take_cells(run, found.cells, shift.workers, shift.share * run.settings.seconds)
        with run.phase("runs again"):
            found.self_gaps += self_gaps(run, shift.late, ladder)
            found.observer = found.observer or observer(run, shift.late)
            found.last = found.last or last_position(run, shift.late, baseline=workers[0])
    with run.phase("runs again"):
        found.self_gaps = beside_baseline(run, self_gaps(run, residents(workers), ladder) + found.self_gaps)
    return found


def residents(workers: list[Worker]) -> list[Worker]:
    """Those that every other one's time is held against, so that they are in every shift: the baseline, its second
    process, and the machine's limits."""
    return workers[:2] + [worker for worker in workers[2:] if worker.timing.graph == "limit"]


def shifts(run: Run, workers: list[Worker], failed: set[str]) -> Iterator[Shift]:
    """Workers that are loaded, one after another, and resident together: the residents and as many as fit.

    The residents are loaded however little memory there is, and then one in every shift at least. When a shift is over
    and another follows, all but they are ended.
    """
    for worker in workers:
        if worker.timing.runtime in failed:
            worker.give_up("not timed, because its trace failed")
    always = residents(workers)
    late = [worker for worker in workers if worker not in always and worker.alive]
    waiting = companies(late)
    load(run, always)
    alone = not waiting
    while waiting or alone:
        mine: list[Worker] = []
        while waiting and (not any(worker.alive for worker in mine) or fits(run, always + mine, waiting[0])):
            company = waiting.pop(0)
            load(run, company)
            mine += company
        yield Shift(always + mine, mine, len(mine) / len(late) if late else 1.0)
        alone = False
        for worker in mine if waiting else []:
            worker.end()


def companies(workers: list[Worker]) -> list[list[Worker]]:
    """The workers in groups that are not to be parted: the graphs in one runtime that are held against each other."""
    groups: dict[str, list[Worker]] = {}
    for worker in workers:
        name = worker.timing.runtime
        groups.setdefault(GRAPH_RUNTIME if name == BESIDE else name, []).append(worker)
    return list(groups.values())


def fits(run: Run, loaded: list[Worker], company: list[Worker]) -> bool:
    """Whether memory holds a company too, each of it as large as the largest so far and a bit."""
    held = sum(worker.timing.settled_bytes for worker in loaded if worker.alive)
    limit = run.settings.memory
    room = available_bytes() if limit is None else min(available_bytes(), limit * 1e9 - held)
    return room >= ROOM * len(company) * max(worker.timing.peak_bytes for worker in loaded)


def load(run: Run, workers: list[Worker]) -> None:
    """Load models, one process after another."""
    with run.phase("load for latency"):
        for worker in workers:
            worker.load()


def take_rounds(run: Run, shift: Shift, seconds: float, *, first: int) -> int:
    """The rounds of a shift, numbered from `first` on; returns the number that the next one has.

    seconds: over all shifts; this one takes its share of them. The machine's limits and what exposed taps cost decide
    nothing, so most of the time is for what does.
    """
    workers, seconds = shift.workers, shift.share * seconds
    beside = [worker for worker in workers if worker.timing.graph in ("limit", "inspect")]
    precision, seed = run.settings.precision, run.settings.seed
    run.say(
        f"timing {sum(worker.alive for worker in workers)} processes in turns, "
        f"until every ratio is known to {100 * precision:g} % or {seconds:.3g} s are spent"
    )
    with run.phase("rounds"):
        return run_rounds(
            workers,
            seconds=seconds,
            seed=seed,
            first=first,
            least=run.settings.min_rounds,
            seldom=beside,
            done=lambda: precise(workers, precision, seed),
        )


def remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()

"""After the rounds: each runtime's logits beside its own under other circumstances, and what exposing taps changes.

The workers that were timed hold the models already; nothing is timed any more.
"""

import shutil
from collections.abc import Iterable

from compare import assembly
from compare.latency.rounds import Worker
from compare.numerics.ladder import Rung, logit_gap, rungs
from compare.report.schema import ObserverPart, SelfGapsPart
from compare.run import Run
from compare.traces import Trace, write_trace


def self_gaps(run: Run, workers: Iterable[Worker]) -> list[SelfGapsPart]:
    """A row for each runtime that was timed: its own gaps, rung by rung, then the gap to the baseline's plain run."""
    ladder = list(rungs(run.inputs.input_ids, run.inputs.attention_mask, threads=run.threads))
    for rung in ladder:
        tensors = {"input_ids": rung.input_ids, "attention_mask": rung.attention_mask}
        write_trace(run.rungs_folder / rung.name, tensors, {"threads": rung.threads})
    timed = [
        worker for worker in workers if worker.alive and not worker.timing.again and worker.timing.graph == "deploy"
    ]
    rows = [climb(run, worker, ladder) for worker in timed]
    baseline = run.rows[0].name
    for row in rows[1:]:
        plain = _plain(run, row.runtime), _plain(run, baseline)
        if plain[0] is not None and plain[1] is not None:
            row.gaps[baseline] = logit_gap(plain[0]["logits"], plain[1]["logits"], run.inputs.attention_mask)
    return [row for row in rows if row.gaps or row.missing]


def climb(run: Run, worker: Worker, ladder: list[Rung]) -> SelfGapsPart:
    """One runtime's row."""
    row = SelfGapsPart(runtime=worker.timing.runtime)
    for rung in ladder:
        length = rung.input_ids.shape[1]
        if run.positions is not None and length > run.positions:
            row.missing[rung.name] = f"it takes {length:,} positions and the model has {run.positions:,}"
        elif (error := worker.rung(rung.name)) is not None:
            row.missing[rung.name] = error
        elif (plain := _plain(run, row.runtime)) is not None and rung is not ladder[0]:
            found = Trace(run.self_folder(row.runtime) / rung.name)
            row.gaps[rung.name] = logit_gap(plain["logits"], found["logits"], run.inputs.attention_mask)
            shutil.rmtree(found.folder)
    return row


def observer(run: Run, workers: list[Worker]) -> ObserverPart | None:
    """The inspect graph beside the deploy graph, once the plain logits are there; None where no graph was timed."""
    pair = {worker.timing.graph: worker for worker in workers if worker.timing.runtime == _observed(workers)}
    if not pair:
        return None
    operators = {graph: worker.operators() for graph, worker in pair.items()}
    name = pair["inspect"].timing.runtime
    plain, trace = _plain(run, name), run.scratch / name
    gap = None
    if plain is not None and trace.is_dir():
        gap = logit_gap(Trace(trace)["logits"], plain["logits"], run.inputs.attention_mask)
    timings = [worker.timing for worker in workers]
    return assembly.observer_part(timings, operators, gap, run.settings.seed)


def _observed(workers: list[Worker]) -> str | None:
    return next((worker.timing.runtime for worker in workers if worker.timing.graph == "inspect"), None)


def _plain(run: Run, row: str) -> Trace | None:
    """The deploy graph's logits on the inputs as they are, where it gave any."""
    folder = run.self_folder(row) / "plain"
    return Trace(folder) if folder.is_dir() else None

"""What each runtime would have read if it was timed beside the others, none of them suspended.

That is how a script does it that opens all sessions and calls one after the other: what the others' threads do between
their turns, spinning as they wait for work, is in every number of it. Here it is measured, beside the same alone.
"""

from dataclasses import dataclass, field

from compare.latency.interference import Pair, run_pairs
from compare.latency.statistics import paired_ratio, typical
from compare.latency.worker_process import Worker
from compare.pipeline.assemble import ratio_part, turns_part
from compare.pipeline.context import Run
from compare.report.latency_parts import InterferencePart


@dataclass
class Interference:
    """The pairs of rounds so far, in all shifts. taken: how many; pairs: each worker's turns, the baseline's first."""

    taken: int = 0
    pairs: dict[Worker, Pair] = field(default_factory=dict)


def take_pairs(run: Run, interference: Interference, shift: list[Worker], seconds: float) -> None:
    """Pairs of rounds of the runtimes of a shift; the graph with every tap and the machine's limits sleep through them.

    seconds: how long at most. The workers are on the run's own inputs.
    """
    mine = [worker for worker in shift if worker.timing.graph == "deploy"]
    for worker in mine:
        interference.pairs.setdefault(worker, Pair(worker))
    run.say(f"timing {sum(worker.alive for worker in mine)} processes beside each other, {seconds:.3g} s")
    with run.phase("interference"):
        pairs = [interference.pairs[worker] for worker in mine]
        interference.taken = run_pairs(
            pairs,
            seconds=seconds,
            seed=run.settings.seed,
            first=interference.taken,
            least=run.settings.min_rounds,
        )


def interference_parts(interference: Interference, seed: int) -> list[InterferencePart]:
    """A row for each runtime that was timed both ways, the baseline's first; none where that was not asked for."""
    pairs = list(interference.pairs.values())
    return [_part(pair, pairs[0], seed) for pair in pairs]


def _part(pair: Pair, baseline: Pair, seed: int) -> InterferencePart:
    row, alone, beside = pair.worker.timing, pair.alone.timing.turns, pair.beside.timing.turns
    part = InterferencePart(
        runtime=row.runtime,
        again=row.again,
        error=pair.error,
        alone=turns_part(pair.alone.timing),
        beside=turns_part(pair.beside.timing),
    )
    if pair.error is not None:
        return part
    part.alone_ms, part.beside_ms = (typical(turns) / 1e6 if turns else None for turns in (alone, beside))
    part.slowdown = ratio_part(paired_ratio(beside, alone, seed))
    if pair is not baseline:
        part.ratio_alone = ratio_part(paired_ratio(alone, baseline.alone.timing.turns, seed))
        part.ratio_beside = ratio_part(paired_ratio(beside, baseline.beside.timing.turns, seed))
    return part

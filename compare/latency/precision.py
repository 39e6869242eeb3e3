"""When rounds may end: the rule on how closely ratios are known."""

from collections.abc import Sequence

from compare.latency.statistics import paired_ratio
from compare.latency.worker_process import LEAST_ROUNDS, Timed


def precise(workers: Sequence[Timed], precision: float, seed: int) -> bool:
    """Whether the time of every worker that lives is known, as a ratio to the first one's, as closely as asked for.

    Those that hold the same graph as the first count: neither the machine's limits nor what taps cost keep the others.
    No ratio is known from fewer than `LEAST_ROUNDS` rounds in which both turns were undisturbed.
    """
    timings = [worker.timing for worker in workers if worker.alive]
    same = [timing for timing in timings[1:] if timing.graph == timings[0].graph]
    if any(len(timing.turns.keys() & timings[0].turns.keys()) < LEAST_ROUNDS for timing in same):
        return False
    ratios = (paired_ratio(timing.turns, timings[0].turns, seed) for timing in same)
    return all(ratio is not None and ratio.half_width <= precision for ratio in ratios)

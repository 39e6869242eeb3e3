"""Find the best length of a turn, with two identical ONNX Runtime workers and 64 tokens on the distilgpt2 architecture.

A turn has 1, 2, 4 or 8 calls, after one that does not count; the order of the lengths is random. The uncertainty of an
estimate after a given time is proportional to the spread of a round's ratio times the square root of a round's
duration, so the best length has the smallest product. Spread is the interquartile range, scaled to the standard
deviation of a normal distribution; its interval is a bootstrap over rounds. Short turns are better because a
disturbance affects several calls in a row, as the correlation of calls within the longest turns shows.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.progress import PROGRESS
from benchmarks.record import Aim, arguments, finish
from benchmarks.stand import Stand, loaded, make_stand
from compare.latency.series import Role
from compare.latency.statistics import RESAMPLES, log_ratios
from compare.latency.turns import calls_in_turn

LENGTHS = (1, 2, 4, 8)
TOKENS, SECONDS, QUICK_SECONDS = 64, 330.0, 30.0

#: The interquartile range of the standard normal distribution.
NORMAL_RANGE = 1.349


@dataclass(frozen=True)
class Round:
    """A round: the number of calls in a turn, its duration, and each side's calls in nanoseconds."""

    calls: int
    seconds: float
    sides: dict[int, list[int]]


def main() -> None:
    options = arguments(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        rounds = list(take_rounds(make_stand(Path(scratch), TOKENS), QUICK_SECONDS if options.quick else SECONDS))
    call_ns = statistics.median(ns for taken in rounds for side in taken.sides.values() for ns in side)
    table = {calls: summary([taken for taken in rounds if taken.calls == calls]) for calls in LENGTHS}
    alike = correlations([taken for taken in rounds if taken.calls == max(LENGTHS)])
    print(f"a call takes {call_ns / 1e6:.0f} ms; calls a turn: rounds, s a round, spread of a round's ratio, after 1 s")
    for calls, found in table.items():
        low, high = found["after a second interval"]
        print(
            f"{calls:>3} {found['rounds']:>5} {found['seconds']:>6.2f} {100 * found['spread']:>6.1f} % "
            f"{100 * found['after a second']:>6.2f} % [{100 * low:.2f}, {100 * high:.2f}]"
        )
    print("correlation of a call with those 1, 2, ... after it:", ", ".join(f"{value:.2f}" for value in alike))
    ours = min(LENGTHS, key=lambda calls: abs(calls - calls_in_turn(call_ns / 1e9)))
    best = min(found["after a second"] for found in table.values())
    over = table[ours]["after a second"] / best
    figures = {
        "call_ms": call_ns / 1e6,
        "table": table,
        "correlations": alike,
        "rounds": [asdict(taken) for taken in rounds],
    }
    aim = Aim(f"turns as they are ({ours} of these calls) over the best length", "<= 1.25", f"{over:.2f}", over <= 1.25)
    finish("turns", figures, [aim], quick=options.quick)


def take_rounds(stand: Stand, seconds: float) -> Iterator[Round]:
    """Yield rounds of all lengths, in random order, until the time is used up."""
    order = random.Random(0)
    PROGRESS.stage("rounds", f"of {seconds:g} s in all")
    with loaded(stand, {Role.BASELINE: "onnxruntime", Role.CONTROL: "onnxruntime"}) as series:
        processes = [each.process for each in series.values()]
        until = time.monotonic() + seconds
        number = 0
        while time.monotonic() < until:
            for calls in order.sample(LENGTHS, len(LENGTHS)):
                start = time.monotonic()
                lines = f"stand {number}", f"turn {calls}"
                sides = {side: processes[side].ask(*lines)["ns"] for side in order.sample((0, 1), 2)}
                yield Round(calls, time.monotonic() - start, sides)
            number += 1
            if PROGRESS.due():
                PROGRESS.waits(f"{number} rounds, {until - time.monotonic():.0f} s left")


def summary(rounds: list[Round]) -> dict[str, Any]:
    """Return the spread of a length's rounds, and the uncertainty of an estimate from one second of them."""
    turns: list[dict[int, list[int]]] = [{i: taken.sides[side] for i, taken in enumerate(rounds)} for side in (0, 1)]
    ratios = log_ratios(turns[1], turns[0])
    seconds = statistics.fmean(taken.seconds for taken in rounds)
    picks = np.random.default_rng(0).integers(0, ratios.size, (RESAMPLES, ratios.size))
    low, high = np.quantile(spread(ratios[picks]), [0.025, 0.975]) * seconds**0.5
    return {
        "rounds": len(rounds),
        "seconds": seconds,
        "spread": float(spread(ratios)),
        "after a second": float(spread(ratios)) * seconds**0.5,
        "after a second interval": [float(low), float(high)],
    }


def spread(ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.quantile(ratios, [0.25, 0.75], axis=-1)
    found: NDArray[np.float64] = (high - low) / NORMAL_RANGE
    return found


def correlations(rounds: list[Round]) -> list[float]:
    """Return the correlation of the logarithms of two calls in a turn, by their distance in calls."""
    logs = np.log([side for taken in rounds for side in taken.sides.values()])
    return [
        float(np.corrcoef(logs[:, :-apart].ravel(), logs[:, apart:].ravel())[0, 1])
        for apart in range(1, logs.shape[1] - 1)
    ]


if __name__ == "__main__":
    main()

"""Choose and measure the brake of `benchmarks.slowed`, so that it costs a twentieth of a call."""

import os
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import slowed
from benchmarks.stand import Stand, ask
from compare.latency.statistics import paired_ratio
from compare.results.latency import Ratio

#: The share of a call that the brake is to cost.
SLOWDOWN = 0.05

#: The largest number of attempts to choose the brake's rows. An attempt succeeds if the cost is within 5 % of the
#: target.
CALIBRATIONS = 5


def install_brake(stand: Stand) -> None:
    """Register the runtime with the brake, here and in child processes."""
    site = stand.scratch / "site"
    slowed.install(site)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    os.environ[slowed.BRAKE] = str(stand.scratch / "brake.onnx")


def make_brake(stand: Stand) -> dict[str, Any]:
    """Choose the brake's rows so that it costs a twentieth of a call, then measure its cost independently.

    Each measurement is a separate process with plain and braked calls in turns, and nothing else runs. The last
    measurement is not used to choose the rows, so its interval is unbiased.
    """
    rows = 32
    for _ in range(CALIBRATIONS):
        taken = measure_brake(stand, rows)
        if abs(brake_ratio(taken).estimate - 1 - SLOWDOWN) < SLOWDOWN / 20:
            break
        rows = max(1, round(rows * SLOWDOWN * statistics.median(taken["plain"]) / braked_more(taken)))
    taken = measure_brake(stand, rows)
    call_ms = 1000 * statistics.median(taken["plain"])
    return {"rows": rows, "ratio": asdict(brake_ratio(taken)), "call_ms": call_ms}


def brake_ratio(taken: dict[str, list[float]]) -> Ratio:
    """Return the ratio of braked to plain calls, paired call by call."""
    turns = {side: {i: [int(1e9 * s)] for i, s in enumerate(seconds)} for side, seconds in taken.items()}
    found = paired_ratio(turns["slowed"], turns["plain"], seed=0)
    assert found is not None
    return found


def measure_brake(stand: Stand, rows: int) -> dict[str, list[float]]:
    slowed.write_brake(Path(os.environ[slowed.BRAKE]), rows)
    found: dict[str, list[float]] = ask("benchmarks.slowed", stand, os.environ[slowed.BRAKE])
    return found


def braked_more(taken: dict[str, list[float]]) -> float:
    """Return the seconds that the brake adds to a call: the median difference of neighbouring calls."""
    return statistics.median(braked - plain for braked, plain in zip(taken["slowed"], taken["plain"], strict=True))

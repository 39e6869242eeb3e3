"""Measure ratios of ONNX Runtime to torch-eager on a busy machine, with and without detection of disturbed turns.

The input is 128 tokens on the distilgpt2 architecture; a run has at most 10 s of rounds and new processes. The quiet
level is the ratio on the machine without added load. The other runs have one of four loads: one busy loop, jobs that
come and go, a process that copies memory, and a second torch process. The loads alternate, run by run. Each run is
evaluated twice: without its disturbed turns, as `python -m compare` does, and with every first attempt counted, as it
would be without detection.

Two more measurements support the limit on the load of a turn: the loads of turns on the quiet machine, and the effect
of small steady loads on the ratio if every turn counts.
"""

import math
import statistics
import tempfile
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load import BUSY_LOOP, COPIES, JOBS, STEADY, TORCH, busy
from benchmarks.progress import one_by_one
from benchmarks.record import Aim, arguments, finish
from benchmarks.stand import Stand, loaded, make_stand
from compare.latency.disturbance import MAX_LOAD
from compare.latency.rounds import precise, run_rounds
from compare.latency.series import Role, Series
from compare.latency.statistics import midmean, paired_ratio
from compare.pipeline.assemble_latency import disturbance_part, latency_parts
from compare.report.measurability import faster, why_not_measurable
from compare.results.latency import Ratio

TOKENS, SECONDS, PRECISION = 128, 10.0, 0.02

RUNTIMES = {Role.BASELINE: "torch-eager", Role.CONTROL: "torch-eager", Role.RUNTIME: "onnxruntime"}

#: The distance that is allowed between an interval and the quiet level. Even on a quiet machine, the level changes
#: within minutes.
TOLERANCE = 1.05

QUIET = "quiet"

LOADS = {"a busy loop": BUSY_LOOP, "jobs on and off": JOBS, "memory copies": COPIES, "a second torch": TORCH}

#: The shares of one CPU that steady loads use.
STEADY_SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)

RUNS, STEADY_RUNS = 20, 5


@dataclass(frozen=True)
class Reading:
    """A measured ratio. why: why it does not support advice, or None. faster: whether it calls ONNX Runtime faster."""

    ratio: Ratio | None
    why: str | None
    faster: bool


@dataclass(frozen=True)
class Run:
    """One run. seconds: time of its rounds. loads: of all attempts. disturbed: how many attempts do not count."""

    detected: Reading
    undetected: Reading
    rounds: int
    seconds: float
    disturbed: int
    loads: list[float]


def main() -> None:
    options = arguments(__doc__)
    runs = 2 if options.quick else RUNS
    with tempfile.TemporaryDirectory() as scratch:
        stand = make_stand(Path(scratch), TOKENS)
        found: dict[str, list[Run]] = {name: [] for name in (QUIET, *LOADS)}
        for number in one_by_one("run under each load", range(runs)):
            for name in found:
                found[name].append(take_run(stand, number, LOADS.get(name)))
                show_run(name, found[name][-1])
        steady = take_steady(stand, 1 if options.quick else STEADY_RUNS)
    level = level_of(found[QUIET])
    print(f"\nquiet level {level:.3f}")
    table(found, level)
    small = {
        f"{share:g} of a CPU": {
            "load": statistics.median(load for run in taken for load in run.loads),
            **shift(taken, level),
        }
        for share, taken in steady.items()
    }
    for name, kept in small.items():
        print(f"every turn counted, with a steady load of {name}: {kept}")
    figures = {
        "level": level,
        "limit": MAX_LOAD,
        "quiet loads": quantiles_of([load for run in found[QUIET] for load in run.loads]),
        "steady loads": small,
        "runs": {name: [plain(run) for run in taken] for name, taken in found.items()},
    }
    finish("busy", figures, aims(found, level), quick=options.quick)


def take_run(stand: Stand, seed: int, load: str | None, *, max_load: float = MAX_LOAD) -> Run:
    """Measure one run with new processes. The models are loaded before the added load starts."""
    loads = busy(1, load) if load else nullcontext()
    with loaded(stand, RUNTIMES, max_load=max_load) as series, loads:
        time.sleep(2 if load else 0)  # until the load is running
        present = list(series.values())
        start = time.monotonic()
        rounds = run_rounds(present, seconds=SECONDS, seed=seed, done=lambda: precise(present, PRECISION, seed))
        seconds = time.monotonic() - start
    assert not any(each.error for each in present), [each.error for each in present]
    return Run(
        read(series, seed),
        read({role: every_first_attempt(each) for role, each in series.items()}, seed),
        rounds,
        seconds,
        sum(len(attempts) for each in present for attempts in each.disturbed.values()),
        [load.share for each in present for attempts in each.loads.values() for load in attempts],
    )


def every_first_attempt(series: Series) -> Series:
    """Return the series as it would be without detection, with the first attempt of every turn."""
    first = {number: attempts[0] for number, attempts in series.disturbed.items()}
    turns = dict(sorted({**series.turns, **first}.items()))
    loads = {number: attempts[:1] for number, attempts in series.loads.items()}
    return replace(series, turns=turns, disturbed={}, loads=loads)


def read(series: dict[Role, Series], seed: int) -> Reading:
    """Evaluate these turns as `python -m compare` does."""
    present = list(series.values())
    rows = latency_parts(present, seed)
    row = next(row for row in rows if row.runtime == RUNTIMES[Role.RUNTIME])
    why = why_not_measurable(rows, disturbance_part(present, MAX_LOAD), SECONDS)
    ratio = paired_ratio(series[Role.RUNTIME].turns, series[Role.BASELINE].turns, seed)
    return Reading(ratio, why, why is None and faster(row, rows))


def take_steady(stand: Stand, runs: int) -> dict[float, list[Run]]:
    """Measure runs under steady loads, with every turn counted. The loads alternate."""
    found: dict[float, list[Run]] = {share: [] for share in STEADY_SHARES}
    for number in one_by_one("run under each steady load", range(runs)):
        for share, taken in found.items():
            taken.append(take_run(stand, number, STEADY.format(share=share), max_load=1.0))
            show_run(f"steady, {share:g} of a CPU", taken[-1])
    return found


def level_of(runs: list[Run]) -> float:
    """Return the ratio on the quiet machine: the midmean of the runs' logarithms."""
    return math.exp(midmean(np.log([run.undetected.ratio.estimate for run in runs if run.undetected.ratio])))


def off(reading: Reading, level: float) -> bool:
    """Return whether the report prints an interval that is farther from the quiet level than allowed."""
    ratio = reading.ratio
    if ratio is None or reading.why is not None or not ratio.high <= 2 * ratio.low:
        return False
    return ratio.low > TOLERANCE * level or ratio.high < level / TOLERANCE


def wrong(reading: Reading, level: float) -> bool:
    """Return whether the advice is wrong: ONNX Runtime is called faster although it is not, or its interval is off."""
    return reading.faster and (level >= 1 or off(reading, level))


def shift(runs: list[Run], level: float) -> dict[str, float]:
    """Return how far the ratio is from the level, in percent: median and largest over the runs."""
    moved = [100 * (run.undetected.ratio.estimate / level - 1) for run in runs if run.undetected.ratio]
    return {"median percent": statistics.median(moved), "most percent": max(moved, key=abs)}


def quantiles_of(loads: list[float]) -> dict[str, float]:
    shares = (0.5, 0.9, 0.95, 0.99, 0.999, 1.0)
    return {f"{100 * share:g} %": float(np.quantile(loads, share)) for share in shares}


def plain(run: Run) -> dict[str, Any]:
    """Return a run as numbers for JSON, with only the median and the largest of its loads."""
    kept = asdict(run)
    kept["loads"] = {"count": len(run.loads), **quantiles_of(run.loads)}
    return kept


def show_run(name: str, run: Run) -> None:
    readings = []
    for reading in (run.detected, run.undetected):
        ratio = reading.ratio
        words = "–" if ratio is None else f"{ratio.estimate:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"
        readings.append(f"{words}{'' if reading.why is None else ' not measurable'}")
    counts = f"{run.rounds} rounds, {run.disturbed} of {len(run.loads)} turns disturbed, {run.seconds:.0f} s"
    print(f"{name:<22} {readings[0]:<38} without detection {readings[1]:<38} {counts}", flush=True)


def table(found: dict[str, list[Run]], level: float) -> None:
    print(f"{'load':<18} runs  not measurable  off by > 5 %  wrong advice  s a run   without detection: off, wrong")
    for name, runs in found.items():
        silent = sum(run.detected.why is not None for run in runs)
        counts = [
            sum(judge(reading, level) for reading in readings)
            for readings in ([run.detected for run in runs], [run.undetected for run in runs])
            for judge in (off, wrong)
        ]
        seconds = statistics.median(run.seconds for run in runs)
        print(
            f"{name:<18} {len(runs):>4}  {silent:>14}  {counts[0]:>12}  {counts[1]:>12}  {seconds:>7.1f}   "
            f"{counts[2]:>22}, {counts[3]:>5}"
        )


def aims(found: dict[str, list[Run]], level: float) -> list[Aim]:
    busy = [run.detected for name, runs in found.items() if name != QUIET for run in runs]
    intervals, advice = sum(off(reading, level) for reading in busy), sum(wrong(reading, level) for reading in busy)
    quiet = found[QUIET]
    lost = 100 * sum(run.disturbed for run in quiet) / sum(len(run.loads) for run in quiet)
    return [
        Aim("intervals off by more than 5 %", "0", f"{intervals} of {len(busy)}", intervals == 0),
        Aim("wrong advice", "0", f"{advice} of {len(busy)}", advice == 0),
        Aim("turns lost on the quiet machine", "<= 2 %", f"{lost:.1f} %", lost <= 2),
    ]


if __name__ == "__main__":
    main()

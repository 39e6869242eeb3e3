"""Measure how latency and memory of a forward pass grow with sequence length, batch size and threads.

It runs the distilgpt2 architecture in torch-eager, torch-sdpa and onnxruntime. At each point three new workers take
turns, with all others suspended, as in a comparison. Long sequences have batch 1, and batches have short sequences,
because the logits need 50,257 floats for each position. Memory is the worker's peak minus that of a worker that ran one
token. It is known only if it is above the peak of loading, because a pass that needs less than that does not change the
peak.

The exponent of a growth is the slope of the logarithms over the upper half of the range, where constant costs matter
least. Its interval is a percentile bootstrap over the rounds; each point is resampled independently. The exponent of
FLOPs over the same points, which a machine of constant speed would show, is printed too. The difference in growth of
two runtimes is the exponent of their ratio, paired by round as in every comparison.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.progress import PROGRESS, one_by_one
from benchmarks.record import RESULTS, Aim, arguments, finish
from compare import machine
from compare.latency.rounds import run_rounds
from compare.latency.series import Role, Series
from compare.latency.statistics import log_ratios, turn_medians, typical
from compare.latency.worker_process import WorkerProcess
from compare.numerics.diagnostics.model_work import work_of
from compare.runtimes.registry import BASELINE
from compare.traces import write_trace
from export.exporting import exported

EAGER, SDPA, ONNX = BASELINE, "torch-sdpa", "onnxruntime"
RUNTIMES = (EAGER, SDPA, ONNX)

#: Positions of a sequence in batches, so that the logits of 16 sequences fit into memory, and if threads vary.
SHORT, LONG = 64, 128

#: Passes with more positions than this, summed over the batch, get more time, so that they have as many rounds.
MANY = 256

RESAMPLES = 2000

#: The smallest growth in bytes that can be measured, because the peaks of equal processes differ by some megabytes.
TOLD_APART = 16 * 2**20


@dataclass(frozen=True)
class Point:
    """One input shape and number of threads."""

    batch: int
    sequence: int
    threads: int


@dataclass(frozen=True)
class Slope:
    """An exponent with its 95 % interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}, {self.high:.2f}]"


def main() -> None:
    options = arguments(__doc__)
    axes = ranges(quick=options.quick)
    seconds, long_seconds = (2.0, 2.0) if options.quick else (40.0, 100.0)
    folder = exported("distilgpt2-seeded", progress=PROGRESS).folder
    one_token = Point(1, 1, machine.cores())
    points = dict.fromkeys([one_token, *(point for found in axes.values() for point in found.values())])
    took = {point: long_seconds if point.batch * point.sequence > MANY else seconds for point in points}
    took[one_token] = 0.01  # needed only for its memory
    timed = {point: time_point(folder, point, took[point]) for point in one_by_one("point", points)}
    flops = {point: work_of(folder, point.batch, point.sequence).prefill_flops for point in points}
    base = {name: timing.peak_bytes for name, timing in timed[one_token].items()}

    figures: dict[str, object] = {}
    slopes: dict[tuple[str, str], Slope] = {}
    memory_slopes: dict[tuple[str, str], float] = {}
    for axis, found in axes.items():
        x = list(found)
        rows: dict[str, object] = {}
        for name in RUNTIMES:
            rounds = [list(turn_medians(timed[point][name].turns).values()) for point in found.values()]
            extra = [growth(timed[point][name], base[name]) for point in found.values()]
            slopes[axis, name], memory_slopes[axis, name] = latency_slope(x, rounds), slope(x, extra)
            rows[name] = {
                "ms": {n: float(np.median(values)) / 1e6 for n, values in zip(x, rounds, strict=True)},
                "rounds": [len(values) for values in rounds],
                "bytes": dict(zip(x, map(known, extra), strict=True)),
                "exponent": str(slopes[axis, name]),
                "memory_exponent": known(memory_slopes[axis, name]),
            }
            print(f"{axis:<8} {name:<12} time exponent {slopes[axis, name]}, memory {memory_slopes[axis, name]:.2f}")
        expected = slope(x, [flops[point] for point in found.values()])
        print(f"{axis:<8} FLOPs        exponent {expected:.2f}", flush=True)
        figures[axis] = {"runtimes": rows, "flops_exponent": known(expected)}
    plot(axes, timed, base, quick=options.quick)

    sequences = axes["sequence"]
    apart = latency_slope(list(sequences), [ratios(timed[point]) for point in sequences.values()])
    worst = max((slopes["batch", name] for name in RUNTIMES), key=lambda found: found.low)
    more = memory_slopes["sequence", EAGER] - memory_slopes["sequence", SDPA]
    aims = [
        Aim("sequence: torch-eager's exponent less torch-sdpa's", "above 0, interval too", f"{apart}", apart.low > 0),
        Aim("sequence: the same of their memory", "above 0", f"{more:.2f}", more > 0),
        Aim("batch: largest exponent of time", "<= 1.1, low end of its interval", f"{worst}", worst.low <= 1.1),
    ]
    spent = {"seconds_a_point": seconds, "seconds_a_long_point": long_seconds}
    finish("scaling", {"base_bytes": base, **spent, **figures}, aims, quick=options.quick)


def ranges(*, quick: bool) -> dict[str, dict[int, Point]]:
    """Return axis -> value -> point. A point on several axes is measured once."""
    cores = machine.cores()
    sequences = (32, 64, 128, 256) if quick else (32, 64, 128, 256, 512, 1024)
    threads = sorted({cores, *(2**power for power in range(cores.bit_length()) if 2**power <= cores)})
    return {
        "sequence": {n: Point(1, n, cores) for n in sequences},
        "batch": {n: Point(n, SHORT, cores) for n in ((1, 2, 4) if quick else (1, 2, 4, 8, 16))},
        "threads": {n: Point(1, LONG, n) for n in threads},
    }


def time_point(folder: Path, point: Point, seconds: float) -> dict[str, Series]:
    """Time a new process of each runtime at one point, in turns, for at least three rounds. Return their series."""
    with tempfile.TemporaryDirectory() as scratch:
        ids = np.random.default_rng(0).integers(0, 256, (point.batch, point.sequence))
        write_trace(Path(scratch) / "inputs", {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        job = {"model": folder, "inputs": Path(scratch) / "inputs"}
        series = [
            Series(
                WorkerProcess(
                    name,
                    {**job, "runtime": name},
                    threads=point.threads,
                    log=Path(scratch) / f"{name}.log",
                    timeout=600,
                ),
                Role.RUNTIME,
                Role.RUNTIME.graph,
            )
            for name in RUNTIMES
        ]
        try:
            for each in series:
                each.import_libraries()
                each.load()
            rounds = run_rounds(series, seconds=seconds, seed=0)
        finally:
            for each in series:
                each.process.end()
    if failed := [f"{each.runtime}: {each.error}" for each in series if not each.alive]:
        raise SystemExit(f"{point} was not timed: {'; '.join(failed)}")
    print(f"{point}: {rounds} rounds", flush=True)
    return {each.runtime: each for each in series}


def ratios(series: Mapping[str, Series]) -> list[float]:
    """Return torch-eager's time over torch-sdpa's, for each round that both have."""
    return [float(ratio) for ratio in np.exp(log_ratios(series[EAGER].turns, series[SDPA].turns))]


def growth(series: Series, base: int) -> float:
    """Return the additional memory compared with a process that ran one token, in bytes; NaN if loading hides it."""
    more = series.peak_bytes - base
    return float(more) if more > TOLD_APART else nan


def known(value: float) -> float | None:
    """Return the number for JSON, with None for NaN."""
    return None if isnan(value) else value


def upper_half(x: Sequence[int]) -> slice:
    """Return the slice of values in the upper half of the range, on a logarithmic scale; at least two values.

    >>> [1, 2, 4, 8, 16][upper_half([1, 2, 4, 8, 16])], [1, 2][upper_half([1, 2])]
    ([4, 8, 16], [1, 2])
    """
    return slice(min(sum(n**2 < x[0] * x[-1] for n in x), len(x) - 2), None)


def slope(x: Sequence[int], y: Sequence[float]) -> float:
    """Return the exponent p of y = a x**p over the upper half; NaN if a y is not positive or there is only one x.

    >>> round(slope([1, 2, 4, 8, 16], [9, 9, 16, 64, 256]), 3)
    2.0
    """
    if len(x) < 2 or not all(value > 0 for value in y[upper_half(x)]):
        return nan
    return float(np.polyfit(np.log(x[upper_half(x)]), np.log(y[upper_half(x)]), 1)[0])


def latency_slope(x: Sequence[int], rounds: Sequence[Sequence[float]]) -> Slope:
    """Return the exponent of the medians over rounds. rounds: for each point, the median of each turn."""
    generator = np.random.default_rng(0)
    drawn = [np.median(generator.choice(values, (RESAMPLES, len(values))), axis=1) for values in rounds]
    low, high = np.quantile([slope(x, list(medians)) for medians in np.transpose(drawn)], [0.025, 0.975])
    return Slope(slope(x, [float(np.median(values)) for values in rounds]), float(low), float(high))


def plot(
    axes: Mapping[str, Mapping[int, Point]],
    timed: Mapping[Point, Mapping[str, Series]],
    base: Mapping[str, int],
    *,
    quick: bool,
) -> None:
    """Draw time (top) and memory (bottom) with a column for each axis, all logarithmic."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    panels = figure.subplots(2, len(axes))
    for column, (axis, found) in enumerate(axes.items()):
        for name in RUNTIMES:
            ms = [typical(timed[point][name].turns) / 1e6 for point in found.values()]
            extra = [growth(timed[point][name], base[name]) / 1e6 for point in found.values()]
            for panel, y in zip(panels[:, column], (ms, extra), strict=True):
                panel.plot(list(found), y, marker="o", ms=4, label=name)
        for panel, what in zip(panels[:, column], ("ms, median", "MB beyond one token's"), strict=True):
            logarithmic(panel, list(found), axis, what)
    panels[0, 0].legend(fontsize=8, frameon=False)
    sides = f"distilgpt2's architecture; batches of {SHORT} positions, threads at {LONG}"
    figure.suptitle(f"A forward pass of {sides}", x=0.01, ha="left", fontsize=11)
    figure.savefig(RESULTS / f"scaling{'.quick' if quick else ''}.png", dpi=100)


def logarithmic(panel: Axes, ticks: Sequence[int], along: str, up: str) -> None:
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xticks(ticks, [f"{n:,}" for n in ticks])
    panel.set_xlabel(along, fontsize=9)
    panel.set_ylabel(up, fontsize=9)
    panel.grid(alpha=0.25, which="both")


if __name__ == "__main__":
    main()

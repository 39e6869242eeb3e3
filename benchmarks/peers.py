"""Compare the ratio of ONNX Runtime's time to torch's, as measured by this project and by optimum-benchmark.

It reports level, spread between runs and wall time. The model is the distilgpt2 architecture, 64 tokens, batch 1,
float32, with as many threads as cores; torch uses sdpa. Our call is a forward pass of our deploy graph;
optimum-benchmark's is the prefill of a generation with optimum's decode graph. Both compute all logits. The reference
level for each is measured in a third way: the same calls, with each runtime alone in a plain process, one after the
other. The ways alternate, run by run, and no wall time includes the export. Spread is the standard deviation of the
logarithm of a run's ratio. All statistics have bootstrap intervals over the runs.
"""

import math
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.peer_ways import INLINE, OUR_CALLS, OURS, PEERS, PROCESS, THEIR_CALLS, TOKENS, Run, one_run, prepare
from benchmarks.progress import PROGRESS, one_by_one
from benchmarks.record import RESULTS, Aim, arguments, finish
from compare.latency.statistics import CONFIDENCE, RESAMPLES

RUNS = 10

#: The ways and their labels in table and figure.
LABELS = {
    OURS: "ours",
    OUR_CALLS: "our calls, each alone",
    PROCESS: "optimum-benchmark, process launcher",
    INLINE: "optimum-benchmark, inline launcher",
    THEIR_CALLS: "its calls, each alone",
}
TRUTHS = {OURS: OUR_CALLS, PROCESS: THEIR_CALLS, INLINE: THEIR_CALLS}

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def main() -> None:
    options = arguments(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        PROGRESS.stage("preparing the environments of the peers")
        setup = prepare(Path(scratch))
        runs: dict[str, list[Run]] = {way: [] for way in LABELS}
        for number in one_by_one("run of each way", range(2 if options.quick else RUNS)):
            for way in list(LABELS)[:: -1 if number % 2 else 1]:
                runs[way].append(one_run(way, number, setup))
                print(f"run {number}, {LABELS[way]}: {spoken(runs[way][-1])}", flush=True)
    table = {way: summary(found) for way, found in runs.items()}
    print_table(table)
    plot(runs, table, quick=options.quick)
    figures = {
        "tokens": TOKENS,
        "threads": setup.threads,
        "runs": {way: [asdict(run) for run in found] for way, found in runs.items()},
        "table": table,
        "our spread over theirs": {way: spread_over(runs[OURS], runs[way]) for way in (PROCESS, INLINE)},
        "peers": PEERS.read_text().split(),
    }
    finish("peers", figures, aims_of(runs, table), quick=options.quick)


def spoken(run: Run) -> str:
    cells = "; ".join(f"{name} {1000 * median:.1f} ms" for name, median in run.medians.items())
    return f"{run.ratio:.3f} ({cells}), {run.wall:.0f} s"


def summary(runs: list[Run]) -> dict[str, Any]:
    """Return level, spread and range of the ratios and median wall time of a way, with bootstrap intervals."""
    ratios = np.array([run.ratio for run in runs])
    return {
        "level": float(np.median(ratios)),
        "level interval": interval(resampled(ratios, median)),
        "spread": float(spread(ratios)),
        "spread interval": interval(resampled(ratios, spread)),
        "range": [float(ratios.min()), float(ratios.max())],
        "wall": statistics.median(run.wall for run in runs),
    }


def median(ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.median(ratios, axis=-1)
    return found


def spread(ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.log(ratios).std(axis=-1, ddof=1)
    return found


def resampled(ratios: NDArray[np.float64], statistic: Statistic, seed: int = 0) -> NDArray[np.float64]:
    """Return a statistic of bootstrap samples of the runs (Efron 1979)."""
    picks = np.random.default_rng(seed).integers(0, ratios.size, size=(RESAMPLES, ratios.size))
    return statistic(ratios[picks])


def interval(found: NDArray[np.float64]) -> list[float]:
    return [float(bound) for bound in np.quantile(found, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])]


def spread_over(ours: list[Run], theirs: list[Run]) -> dict[str, Any]:
    """Return our spread over theirs and its interval. The runs of each side are resampled independently."""
    mine, other = (np.array([run.ratio for run in runs]) for runs in (ours, theirs))
    above, below = resampled(mine, spread, seed=1), resampled(other, spread, seed=2)
    some = below > 0  # with two runs, half of the samples contain one run twice
    return {"ratio": float(spread(mine) / spread(other)), "interval": interval(above[some] / below[some])}


def aims_of(runs: dict[str, list[Run]], table: dict[str, dict[str, Any]]) -> list[Aim]:
    aims = []
    for way in (PROCESS, INLINE):
        over = spread_over(runs[OURS], runs[way])
        reached = f"{over['ratio']:.2f} [{over['interval'][0]:.2f}, {over['interval'][1]:.2f}]"
        aims.append(Aim(f"our spread over {way}'s", "<= 1/3", reached, over["ratio"] <= 1 / 3))
        mine, other = table[OURS]["wall"], table[way]["wall"]
        aims.append(Aim("our wall time, s", f"<= {other:.1f} of {way}", f"{mine:.1f}", mine <= other))
    low, high = table[OUR_CALLS]["level interval"]
    level = table[OURS]["level"]
    aims.append(Aim("our level", f"{low:.3f} to {high:.3f}, each alone", f"{level:.3f}", low <= level <= high))
    return aims


def print_table(table: dict[str, dict[str, Any]]) -> None:
    print(f"\n{'way':<36} {'level':>22} {'off':>7} {'spread, %':>20} {'range':>15} {'wall, s':>8}")
    for way, found in table.items():
        low, high = found["level interval"]
        below, above = (100 * bound for bound in found["spread interval"])
        truth = table[TRUTHS[way]]["level"] if way in TRUTHS else math.nan
        off = f"{100 * (found['level'] / truth - 1):+.1f} %" if way in TRUTHS else ""
        print(
            f"{LABELS[way]:<36} {found['level']:7.3f} [{low:.3f}, {high:.3f}] {off:>7} "
            f"{100 * found['spread']:6.2f} [{below:.2f}, {above:.2f}] "
            f"{found['range'][0]:.3f} to {found['range'][1]:.3f} {found['wall']:8.1f}"
        )


def plot(runs: dict[str, list[Run]], table: dict[str, dict[str, Any]], *, quick: bool) -> None:
    """Draw each run as a dot, the first on top, with a bar for the level's interval and a band for each reference."""
    figure = Figure(figsize=(8.5, 4.5), layout="constrained")
    axes = figure.subplots()
    for place, (way, found) in enumerate(runs.items()):
        colour = "tab:blue" if way in (OURS, OUR_CALLS) else "tab:orange"
        heights = place + np.linspace(-0.28, 0.28, len(found))
        axes.plot([run.ratio for run in found], heights, "o", ms=5, alpha=0.75, color=colour, mew=0)
        axes.plot([table[way]["level"]] * 2, [place - 0.38, place + 0.38], color="black", lw=1.5)
        axes.plot(table[way]["level interval"], [place - 0.38] * 2, color="black", lw=1.5)
        if way in TRUTHS.values():
            axes.axvspan(*table[way]["level interval"], color=colour, alpha=0.12, lw=0)
    axes.set_yticks(range(len(runs)), [LABELS[way] for way in runs])
    axes.invert_yaxis()
    axes.set_xlabel("ONNX Runtime's time over torch's; bands: 95 % intervals of each alone")
    axes.set_title(f"distilgpt2's architecture, {TOKENS} tokens, {len(runs[OURS])} runs", loc="left", fontsize=10)
    axes.grid(axis="x", alpha=0.25)
    figure.savefig(RESULTS / f"peers{'.quick' if quick else ''}.png", dpi=100)


if __name__ == "__main__":
    main()

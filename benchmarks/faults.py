"""Measure how small a fault can be and still be detected and located.

Faults of every kind and size are planted into exported graphs, on models, inputs and seeds that were not used to choose
the limits. A fault's size is its effect on its own segment in float64, in floors.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from benchmarks.progress import one_by_one
from benchmarks.record import RESULTS, Aim, arguments, finish
from benchmarks.setups import REPORTING, Stand, stands
from benchmarks.trials import BINS, Trial, bin_name, bin_of, faults, tried
from compare import machine
from tests.faults.bench import Planted
from tests.faults.kinds import KINDS
from tests.faults.kinds.fault import NotHere, segment_of


def main() -> None:
    options = arguments(__doc__)
    torch.set_num_threads(machine.cores())
    with tempfile.TemporaryDirectory() as scratch:
        there = list(stands(REPORTING[:1] if options.quick else REPORTING, Path(scratch)))
        trials = list(faults(there, np.random.default_rng(1), draws=1 if options.quick else 3))
        full = in_full(there[2])
    table(trials)
    for title, chosen in listed(trials).items():
        print(f"{title}: {len(chosen)}")
        for trial in chosen:
            size, placed = trial.size, trial.verdict
            print(
                f"  {trial.planted.kind.name}, {trial.planted.place}, {trial.stand}: {size.floors:.2f} x rounding "
                f"({size.statistic} of {size.tensor}); {placed.kind}, {placed.place or 'no place'}"
            )
    print(
        f"in full, in every place of {there[2].name}: {sum(t.placed for t in full)} of {len(full)} named where they are"
    )
    plot(trials, quick=options.quick)
    figures = {
        "bins": {bin_name(i): counts([t for t in trials if bin_of(t.size.floors) == i]) for i in range(len(BINS))},
        "in full": [trial.as_figures() for trial in full],
        "faults": [trial.as_figures() for trial in trials],
    }
    finish("faults", figures, aims(trials, full), quick=options.quick)


def aims(trials: list[Trial], full: list[Trial]) -> list[Aim]:
    rates = {i: [t for t in trials if bin_of(t.size.floors) == i] for i in range(len(BINS))}
    found = [trial for trial in trials + full if trial.found]
    fewest = min(len(chosen) for chosen in list(rates.values())[:-1])
    kinds = min(len({t.planted.kind.name for t in rates[i]}) for i in (1, 2, 3, 4))
    right = sum(t.placed for t in found) / len(found)
    largest = [*rates[4], *rates[5]]
    return [
        Aim("faults", ">= 300", str(len(trials)), len(trials) >= 300),
        Aim("in each bin", ">= 30", str(fewest), fewest >= 30),
        Aim("kinds in each", ">= 8", str(kinds), kinds >= 8),
        Aim("found from 16 up", "all", f"{rate(largest):.1%}", rate(largest) == 1),
        Aim("found in 8 to 16", ">= 95 %", f"{rate(rates[3]):.1%}", rate(rates[3]) >= 0.95),
        Aim("found in 4 to 8", ">= 50 %", f"{rate(rates[2]):.1%}", rate(rates[2]) >= 0.5),
        Aim("layer and segment right", ">= 95 %", f"{right:.1%}", right >= 0.95),
    ]


def in_full(stand: Stand) -> list[Trial]:
    """Plant every kind of fault at full strength, in every place where it can be planted."""
    found = []
    for kind in one_by_one("faults in every place, kind", KINDS.values()):
        for place in (place for place in stand.bench.places if segment_of(place) in kind.segments):
            planted = Planted(kind, place, 1.0, seed=0)
            try:
                found.append(tried(stand, planted, stand.bench.size(planted)))
            except NotHere:
                continue
    return found


def listed(trials: list[Trial]) -> dict[str, list[Trial]]:
    """Return the trials to print: no-ops, missed faults of at least 4 floors, and faults named in the wrong place."""
    return {
        "no-ops, the graph's outputs are the same": [trial for trial in trials if trial.same],
        "missed": [trial for trial in trials if not trial.found and not trial.same],
        "named in another place": [trial for trial in trials if trial.found and not trial.placed],
    }


def table(trials: list[Trial]) -> None:
    print(f"{'size in floors':>14}  faults  kinds   found  of them held out   segment and layer right")
    for i in range(len(BINS)):
        found = counts([trial for trial in trials if bin_of(trial.size.floors) == i])
        print(
            f"{bin_name(i):>14}  {found['faults']:>6}  {found['kinds']:>5}  {found['found']:>6}  "
            f"{found['held out found']:>6} of {found['held out']:<6}   {found['placed']:>6} of {found['found']}"
        )


def counts(trials: list[Trial]) -> dict[str, int]:
    held_out = [trial for trial in trials if trial.planted.kind.held_out]
    return {
        "faults": len(trials),
        "kinds": len({trial.planted.kind.name for trial in trials}),
        "found": sum(trial.found for trial in trials),
        "placed": sum(trial.placed for trial in trials),
        "layer right": sum(trial.layer_right for trial in trials),
        "held out": len(held_out),
        "held out found": sum(trial.found for trial in held_out),
    }


def rate(trials: list[Trial]) -> float:
    return sum(trial.found for trial in trials) / len(trials) if trials else 0.0


def plot(trials: list[Trial], *, quick: bool) -> None:
    """Draw the share of faults that are found against their size, with the planted faults below."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    groups: dict[str, Callable[[Trial], bool]] = {
        "kinds used for choosing limits": lambda trial: not trial.planted.kind.held_out,
        "kinds held out": lambda trial: trial.planted.kind.held_out,
    }
    edges = np.geomspace(0.25, 256, 16)
    for row, (label, belongs) in enumerate(groups.items()):
        chosen = [trial for trial in trials if belongs(trial) and np.isfinite(trial.size.floors)]
        sizes = np.array([trial.size.floors for trial in chosen]).clip(0.25, 255)
        hit = np.array([trial.found for trial in chosen])
        number, total = np.histogram(sizes[hit], edges)[0], np.histogram(sizes, edges)[0]
        there = total > 0
        middles = np.sqrt(edges[:-1] * edges[1:])
        (line,) = axes.plot(middles[there], number[there] / total[there], marker="o", ms=4, label=label)
        y = -0.06 - 0.05 * row
        axes.plot(sizes[hit], np.full(hit.sum(), y), "|", color=line.get_color(), ms=7, alpha=0.5)
        axes.plot(sizes[~hit], np.full((~hit).sum(), y), "x", color=line.get_color(), ms=4, alpha=0.5)
    for at in (4, 8, 16):
        axes.axvline(at, color="0.8", lw=0.8, zorder=0)
    axes.set_xscale("log", base=2)
    axes.set_xlabel("size of the fault in its own segment, multiples of rounding")
    axes.set_ylabel("share found")
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_title(f"{len(trials)} planted faults; below: found |, missed x", loc="left", fontsize=10)
    axes.legend(fontsize=8, frameon=False, loc="center right")
    figure.savefig(RESULTS / f"faults{'.quick' if quick else ''}.png", dpi=100)


if __name__ == "__main__":
    main()

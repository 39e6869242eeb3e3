"""Rows of docs/benchmarks.md that are no aims: results that explain an aim, or that it was compared with.

Each function takes the figures of one benchmark, as in `results/NAME.json`, and returns claims with their results.
"""

from collections.abc import Callable
from statistics import median
from typing import Any

Figures = dict[str, Any]
Rows = list[tuple[str, str]]


def aa(figures: Figures) -> Rows:
    ways = {
        "sequential": "one session after the other in one process",
        "interleaved": "both sessions in turns in one process",
    }
    rows = []
    for way, said in ways.items():
        errors = [100 * abs(trial["estimate"] - 1) for trial in figures["quiet"][way]]
        claim = f"without this project, {said}: error, median and largest of {len(errors)} trials"
        rows.append((claim, f"{median(errors):.1f} %, {max(errors):.1f} %"))
    return rows


def busy(figures: Figures) -> Rows:
    runs = [run for name, taken in figures["runs"].items() if name != "quiet" for run in taken]
    silent = sum(run["detected"]["why"] is not None for run in runs)
    ratios = [run["undetected"]["ratio"]["estimate"] for run in runs if run["undetected"]["ratio"]]
    return [
        ("runs under load that are called not measurable", f"{silent} of {len(runs)}"),
        ("the level", f"{figures['level']:.3f}"),
        ("ratios of the runs under load if every first attempt counts", f"{min(ratios):.2f} to {max(ratios):.2f}"),
    ]


def peers(figures: Figures) -> Rows:
    ways = {
        "ours": "this project's rounds",
        "our calls": "this project's calls, each runtime alone",
        "process": "optimum-benchmark, launcher `process`",
        "inline": "optimum-benchmark, launcher `inline`",
        "their calls": "optimum-benchmark's calls, each runtime alone",
    }
    return [(f"{said}: ratio, spread, seconds of a run", _way(figures["table"][way])) for way, said in ways.items()]


def _way(row: Figures) -> str:
    return f"{row['level']:.3f}, {100 * row['spread']:.1f} %, {row['wall']:.0f}"


def turns(figures: Figures) -> Rows:
    rows = {int(calls): row["after a second"] for calls, row in figures["table"].items()}
    longest = max(rows)
    return [(f"the same with turns of {longest} calls", f"{rows[longest] / min(rows.values()):.2f}")]


def scaling(figures: Figures) -> Rows:
    return [
        (f"exponent along the {axis}: {name}", runtime["exponent"])
        for axis in ("sequence", "batch")
        for name, runtime in figures[axis]["runtimes"].items()
    ]


def wall_time(figures: Figures) -> Rows:
    earlier: dict[str, list[float]] = {}
    for run in figures["runs"]:
        if run["side"] == "before":
            earlier.setdefault(run["case"], []).append(run["seconds"])
    commit = figures["before"]
    return [(f"at the earlier commit {commit}: {case}", f"{median(taken):.1f} s") for case, taken in earlier.items()]


def first_call(figures: Figures) -> Rows:
    cold = figures["without warm-up"]
    return [("wrong results without those calls", f"{cold['wrong']} of {cold['forks']}")]


def faults(figures: Figures) -> Rows:
    full = figures["in full"]
    right = sum(fault["named"] == fault["place"] for fault in full)
    return [
        *_bins(figures["bins"]),
        ("faults of full size in every place of byte-gpt2, found and named", f"{right} of {len(full)}"),
    ]


def lower_faults(figures: Figures) -> Rows:
    return [(f"{name}: {claim}", result) for name in figures for claim, result in _bins(figures[name]["bins"])]


def _bins(bins: Figures) -> Rows:
    return [
        (f"size {size} floors: faults that were found", f"{row['found']} of {row['faults']}")
        for size, row in bins.items()
    ]


def deploy(figures: Figures) -> Rows:
    return [
        (f"{int(tokens):,} tokens: optimum's graph in a second process, over the first", _ratio(found["ratios"]))
        for tokens, found in figures["tokens"].items()
    ]


def _ratio(ratios: Figures) -> str:
    second = ratios["optimum again / optimum"]
    return f"{second['estimate']:.3f} [{second['low']:.3f}, {second['high']:.3f}]"


#: Benchmark -> its further rows.
FURTHER: dict[str, Callable[[Figures], Rows]] = {
    each.__name__: each
    for each in (aa, busy, deploy, faults, first_call, lower_faults, peers, scaling, turns, wall_time)
}

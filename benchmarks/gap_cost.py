"""Time the gap statistics of a run (place, RMS, slope, quantiles, heads) against other comparison libraries.

The arrays are 6 attentions of (12, 512, 512) and logits of (512, 50257), float32 against float64, in memory-mapped
files. Each side is a separate process; the sides take turns, each with one pass over the same files. Polygraphy runs in
an environment that this script makes from `gap_peers.txt`.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.peer_environments import peer_python
from benchmarks.progress import PROGRESS, one_by_one
from benchmarks.record import RESULTS, Aim, arguments, finish
from compare.latency.statistics import paired_ratio

SIDES = Path(__file__).with_name("gap_sides.py")
PEERS = Path(__file__).with_name("gap_peers.txt")

LENGTHS = (128, 256, 512, 1024)
AT = 512
TURNS = 7

#: The sides and their labels in the figure. Ours is one pass with place, root mean square, slope, quantiles and heads.
LABELS = {
    "ours": "ours",
    "numpy": "numpy.testing.assert_allclose",
    "polygraphy": "Polygraphy, simple comparison",
    "bare": "abs(a - b).max() only",
    "decisions": "in addition to ours: next tokens of the logits",
    "ulps": "in addition to ours: units in the last place",
    "rows": "in addition to ours: statistics of attention rows",
}

#: The sides that run in the environment of the other libraries.
PEER_SIDES = ("polygraphy",)


def main() -> None:
    options = arguments(__doc__)
    python = peer_python(PEERS)
    seconds: dict[int, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for length in LENGTHS[:2] if options.quick else LENGTHS:
            folder = Path(scratch) / str(length)
            PROGRESS.stage(f"{length} tokens", "writing arrays")
            write_arrays(folder, length)
            names = list(LABELS)
            turns = 2 if options.quick else TURNS if length == AT else 3
            seconds[length] = take_turns(folder, names, python, turns)
            if length == (LENGTHS[0] if options.quick else AT):
                added = one_turn(folder, "ours", python)["bytes"]
            shutil.rmtree(folder)
            cells = "; ".join(f"{name} {statistics.median(taken):.3f}" for name, taken in seconds[length].items())
            print(f"{length:>5} tokens, seconds: {cells}", flush=True)
    plot(seconds, quick=options.quick)
    at = max(length for length in seconds if length <= AT)
    polygraphy, numpy = (ratio(seconds[at], name) for name in ("polygraphy", "numpy"))
    print(f"polygraphy over ours: {polygraphy}; numpy over ours: {numpy}; {added / 1e6:.0f} MB of memory added")
    slower = polygraphy["estimate"]
    aims = [
        Aim(f"polygraphy over ours at {at} tokens", ">= 5", f"{slower:.1f}", slower >= 5),
        Aim("numpy's assert_allclose over ours", ">= 1", f"{numpy['estimate']:.2f}", numpy["estimate"] >= 1),
        Aim("anonymous memory added, MB", "< 100", f"{added / 1e6:.0f}", added < 100e6),
    ]
    figures = {
        "seconds": seconds,
        "over ours": {name: ratio(seconds[at], name) for name in seconds[at]},
        "bytes added": added,
        "peers": PEERS.read_text().split(),
    }
    finish("gap_cost", figures, aims, quick=options.quick)


def write_arrays(folder: Path, length: int) -> None:
    """Write arrays with distilgpt2's shapes: golden in float64, actual in float32 with errors of rounding's size."""
    rng = np.random.default_rng(length)
    for side in ("actual", "golden"):
        (folder / side).mkdir(parents=True)
    seen = np.tri(length, dtype=bool)
    for layer in range(6):
        scores = np.where(seen, 2 * rng.standard_normal((1, 12, length, length)), -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        keep(folder, f"attention.{layer}", weights / weights.sum(-1, keepdims=True), rng)
    keep(folder, "logits", 4 * rng.standard_normal((1, length, 50257)), rng)


def keep(folder: Path, name: str, golden: Any, rng: np.random.Generator) -> None:
    error = 2.0**-23 * rng.standard_normal(golden.shape, dtype=np.float32)
    np.save(folder / "golden" / f"{name}.npy", golden)
    np.save(folder / "actual" / f"{name}.npy", (golden * (1 + error)).astype(np.float32))


def take_turns(folder: Path, names: list[str], python: Path, turns: int) -> dict[str, list[float]]:
    """Return the seconds of each side, measured in turns. The first turn warms up and does not count."""
    sides = {name: start(name, python) for name in names}
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in one_by_one("turn", range(turns + 1)):
        for name in names[:: 1 if turn % 2 else -1]:
            found = ask(sides[name], folder, "time")
            if turn:
                taken[name].append(found["seconds"])
    for side in sides.values():
        side.stdin.close()  # type: ignore[union-attr]
        side.wait()
    return taken


def one_turn(folder: Path, name: str, python: Path) -> dict[str, Any]:
    """Run one side alone and measure its memory, after a first turn that does not count."""
    side = start(name, python)
    ask(side, folder, "time")
    found = ask(side, folder, "memory")
    side.communicate()
    return found


def start(name: str, python: Path) -> subprocess.Popen[str]:
    command = [str(python) if name in PEER_SIDES else sys.executable, "-P", str(SIDES), name]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)


def ask(side: subprocess.Popen[str], folder: Path, what: str) -> dict[str, Any]:
    assert side.stdin is not None
    assert side.stdout is not None
    print(folder, what, file=side.stdin, flush=True)
    answer = side.stdout.readline()
    if not answer:
        raise RuntimeError(f"{side.args!r} ended with {side.wait()}")
    found: dict[str, Any] = json.loads(answer)
    return found


def ratio(seconds: dict[str, list[float]], name: str) -> dict[str, float]:
    """Return the ratio of a side's time to ours, paired by turn."""
    nanoseconds = {side: {i: [int(1e9 * t)] for i, t in enumerate(taken)} for side, taken in seconds.items()}
    found = paired_ratio(nanoseconds[name], nanoseconds["ours"], seed=0)
    assert found is not None
    return {"estimate": found.estimate, "low": found.low, "high": found.high}


def plot(seconds: dict[int, dict[str, list[float]]], *, quick: bool) -> None:
    """Draw time against length, both on logarithmic axes."""
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.subplots()
    for name, label in LABELS.items():
        medians = [statistics.median(taken[name]) for taken in seconds.values()]
        axes.plot(list(seconds), medians, marker="o", ms=4, label=label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("tokens")
    axes.set_ylabel("seconds, median")
    axes.set_title("6 attentions (12, n, n) and logits (n, 50257), float32 against float64", loc="left", fontsize=10)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(RESULTS / f"gap_cost{'.quick' if quick else ''}.png", dpi=100)


if __name__ == "__main__":
    main()

"""Time our deploy and deploy-last graphs against optimum-cli's graph in ONNX Runtime, all in the same rounds.

The model is the distilgpt2 architecture, batch 1, float32, with as many threads as cores. optimum's graph is exported
with `--task text-generation`, as users do. It also runs with the slice that makes our deploy-last, and in a second
process as the A/A control. Afterwards, all graphs must give the same logits at the last position.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from matplotlib.figure import Figure

from benchmarks.export_cost import save_source
from benchmarks.progress import PROGRESS, one_by_one
from benchmarks.record import RESULTS, Aim, arguments, finish
from compare import machine
from compare.latency.rounds import run_rounds
from compare.latency.series import Role, Series
from compare.latency.statistics import paired_ratio
from compare.latency.worker_process import WorkerProcess
from compare.pipeline.inputs import tokenize
from compare.results.latency import Ratio
from compare.traces import Trace, write_trace
from export.exporting import exported
from export.graphs import last_position

#: Tokens -> seconds of rounds. Longer inputs have slower calls, and need more time for a dozen rounds.
SECONDS = {128: 60.0, 512: 150.0, 1024: 300.0}
QUICK_SECONDS = 30.0

#: The largest allowed difference of the last position's logits, which are about 10; rounding changes them by 1e-5.
SAME = 1e-3

DEPLOY, LAST, OPTIMUM, AGAIN, SLICED = "deploy", "deploy-last", "optimum", "optimum again", "optimum, sliced"


@dataclass(frozen=True)
class Side:
    """A graph that is timed: its folder, and which of the folder's graphs it is."""

    folder: Path
    role: Role


def main() -> None:
    options = arguments(__doc__)
    found: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        entry = exported("distilgpt2-seeded", progress=PROGRESS).folder
        PROGRESS.stage("exporting with optimum-cli")
        theirs = export_theirs(Path(scratch))
        sides = {
            DEPLOY: Side(entry, Role.RUNTIME),
            LAST: Side(entry, Role.LAST_POSITION),
            OPTIMUM: Side(theirs, Role.BASELINE),
            AGAIN: Side(theirs, Role.CONTROL),
            SLICED: Side(theirs, Role.LAST_POSITION),
        }
        for tokens, seconds in one_by_one("length", SECONDS.items()):
            inputs = tokenize(entry, text=None, sequence=tokens, batch=1, positions=1024)
            folder = Path(scratch) / str(tokens)
            tensors = {"input_ids": inputs.input_ids, "attention_mask": inputs.attention_mask}
            write_trace(folder / "inputs", tensors)
            write_trace(folder / "variants" / "once", tensors, {"threads": machine.cores()})
            found[tokens] = measure(sides, folder, QUICK_SECONDS if options.quick else seconds)
            print(
                f"{tokens:>5} tokens, {found[tokens]['rounds']} rounds: {spoken(found[tokens]['ratios'])}", flush=True
            )
    plot({tokens: one["ratios"] for tokens, one in found.items()}, quick=options.quick)
    aims = [aim for tokens, one in found.items() for aim in aims_at(tokens, one["ratios"])]
    figures = {
        str(tokens): {**one, "ratios": {name: asdict(ratio) for name, ratio in one["ratios"].items()}}
        for tokens, one in found.items()
    }
    finish("deploy", {"threads": machine.cores(), "tokens": figures}, aims, quick=options.quick)


def export_theirs(scratch: Path) -> Path:
    """Export with optimum-cli, and return a folder with the graph as deploy and a sliced copy as deploy-last."""
    source, out = scratch / "source", scratch / "optimum"
    save_source(source)
    cli = Path(sys.executable).with_name("optimum-cli")
    subprocess.run(
        [cli, "export", "onnx", "--task", "text-generation", "--model", source, out],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    onnx.save(last_position(onnx.load(out / "model.onnx")), out / "deploy-last.onnx")
    return (out / "model.onnx").rename(out / "deploy.onnx").parent


def measure(sides: dict[str, Side], folder: Path, seconds: float) -> dict[str, Any]:
    """Measure rounds of all sides. Return the number of rounds, the turns in nanoseconds, and the ratios."""
    threads = machine.cores()
    job = {"runtime": "onnxruntime", "inputs": folder / "inputs", "variants": folder / "variants"}
    series = [
        Series(
            WorkerProcess(
                name,
                {**job, "model": side.folder, "out": folder / "out" / name},
                threads=threads,
                log=folder / "logs" / f"{name}.log",
                timeout=300,
            ),
            side.role,
            side.role.graph,
        )
        for name, side in sides.items()
    ]
    try:
        for each in series:
            each.import_libraries()
            each.load()
        rounds = run_rounds(series, seconds=seconds, seed=0)
        check_same(series, folder)
    finally:
        for each in series:
            each.process.end()
    turns = {each.runtime: each.turns for each in series}
    return {"rounds": rounds, "ratios": ratios_of(turns), "nanoseconds": turns}


def check_same(series: list[Series], folder: Path) -> None:
    """Check that every side gives the first side's logits at the last position. Raises `RuntimeError` if not."""
    last = {}
    for each in series:
        name = each.runtime
        if why := each.error or each.process.rerun("once"):
            raise RuntimeError(f"{name}: {why}")
        last[name] = Trace(folder / "out" / name / "once")["logits"][0, -1]
    for name, logits in last.items():
        apart = float(np.abs(logits - last[DEPLOY]).max())
        if not apart <= SAME:
            raise RuntimeError(
                f"the logits of {name} and {DEPLOY} differ by {apart:.1e} at the last position; {SAME:g} is allowed"
            )


def ratios_of(turns: dict[str, dict[int, list[int]]]) -> dict[str, Ratio]:
    """Return the ratios of pairs of sides, each as (time of the first) / (time of the second)."""
    pairs = [(DEPLOY, OPTIMUM), (AGAIN, OPTIMUM), (OPTIMUM, LAST), (DEPLOY, LAST), (SLICED, LAST)]
    found = {f"{above} / {below}": paired_ratio(turns[above], turns[below], seed=0) for above, below in pairs}
    return {name: ratio for name, ratio in found.items() if ratio is not None}


def aims_at(tokens: int, ratios: dict[str, Ratio]) -> list[Aim]:
    deploy = ratios[f"{DEPLOY} / {OPTIMUM}"]
    not_slower = Aim(f"deploy over optimum at {tokens:,}", "interval not all above 1.00", said(deploy), deploy.low <= 1)
    faster = [
        Aim(f"{other} over deploy-last at {tokens:,}", ">= 1.4", f"{ratio.estimate:.2f}", ratio.estimate >= 1.4)
        for other, ratio in ((other, ratios[f"{other} / {LAST}"]) for other in (OPTIMUM, DEPLOY))
    ]
    return [not_slower, *faster]


def said(ratio: Ratio) -> str:
    return f"{ratio.estimate:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"


def spoken(ratios: dict[str, Ratio]) -> str:
    return "; ".join(f"{name} {said(ratio)}" for name, ratio in ratios.items())


def plot(found: dict[int, dict[str, Ratio]], *, quick: bool) -> None:
    """Draw the ratios with their intervals, a row for each ratio and a mark for each length."""
    figure = Figure(figsize=(7.5, 3.8), layout="constrained")
    axes = figure.subplots()
    names = list(next(iter(found.values())))
    for place, (tokens, ratios) in enumerate(found.items()):
        estimates = np.array([ratio.estimate for ratio in ratios.values()])
        bounds = np.array([[ratio.low, ratio.high] for ratio in ratios.values()]).T
        heights = np.arange(len(names)) + 0.22 * (place - (len(found) - 1) / 2)
        axes.errorbar(
            estimates, heights, xerr=np.abs(bounds - estimates), fmt="o", ms=4, capsize=2, label=f"{tokens:,}"
        )
    axes.axvline(1.0, color="black", lw=0.8)
    axes.axvline(1.4, color="black", lw=0.8, ls=":")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("ratio of times, paired by round, 95 % interval")
    axes.set_title("distilgpt2's architecture in ONNX Runtime, prefill", loc="left", fontsize=10)
    axes.grid(axis="x", alpha=0.25)
    axes.legend(title="tokens", fontsize=8, frameon=False)
    figure.savefig(RESULTS / f"deploy{'.quick' if quick else ''}.png", dpi=100)


if __name__ == "__main__":
    main()

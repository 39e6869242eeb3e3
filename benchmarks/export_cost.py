"""Measure the cost of an export: inspect, deploy, deploy-last and decode together, against optimum-cli's one graph.

Both start from the same folder of weights with an empty cache, in new processes, in turns. optimum-cli runs with its
validation, as for users, and without. The size is the bytes of all ONNX graphs and their weights, over the weights.
"""

import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.processes import Cost, cost_of
from benchmarks.progress import one_by_one
from benchmarks.record import Aim, arguments, finish

#: optimum-cli has no option that turns its validation off, but the function that it calls has one.
WITHOUT_VALIDATION = (
    "import sys; from optimum.exporters.onnx import main_export; "
    "main_export(sys.argv[1], sys.argv[2], task='text-generation', do_validation=False)"
)

OURS, OPTIMUM, UNVALIDATED = "ours", "optimum-cli", "optimum without validation"


def main() -> None:
    options = arguments(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        save_source(source)
        weights = (source / "model.safetensors").stat().st_size
        costs: dict[str, list[Cost]] = {OURS: [], OPTIMUM: [], UNVALIDATED: []}
        sizes: dict[str, int] = {}
        for repetition in one_by_one("repetition", range(1 if options.quick else 4)):
            for name in list(costs)[:: 1 if repetition % 2 == 0 else -1]:
                out = Path(scratch) / f"{name}-{repetition}".replace(" ", "-")
                costs[name].append(export(name, source, out))
                sizes[name] = onnx_bytes(out)
                shutil.rmtree(out)
                print(
                    f"{name}: {costs[name][-1].seconds:.1f} s, {costs[name][-1].peak_bytes / 1e6:,.0f} MB", flush=True
                )
    report(costs, sizes, weights, quick=options.quick)


def save_source(folder: Path) -> None:
    """Save the distilgpt2 architecture with seeded weights to a folder that both sides can read."""
    from export.models import load
    from export.sources import find

    model, tokenizer, _ = load(find("distilgpt2-seeded"))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def export(name: str, source: Path, out: Path) -> Cost:
    """Run one export into an empty folder and return its cost."""
    optimum_cli = str(Path(sys.executable).with_name("optimum-cli"))
    command = {
        OURS: [sys.executable, "-m", "export", str(source), "--cache-dir", str(out)],
        OPTIMUM: [optimum_cli, "export", "onnx", "--task", "text-generation", "--model", str(source), str(out)],
        UNVALIDATED: [sys.executable, "-c", WITHOUT_VALIDATION, str(source), str(out)],
    }[name]
    return cost_of(command, env={**os.environ, "HF_HUB_OFFLINE": "1"})


def onnx_bytes(folder: Path) -> int:
    """Return the size of all graphs and the weights that they refer to, in bytes."""
    files = [path for pattern in ("*.onnx", "*.onnx_data", "*.onnx.data") for path in folder.rglob(pattern)]
    shared = [path for path in folder.rglob("model.safetensors") if any(path.parent.glob("*.onnx"))]
    return sum(path.stat().st_size for path in files + shared)


def report(costs: dict[str, list[Cost]], sizes: dict[str, int], weights: int, *, quick: bool) -> None:
    """Print the medians of all sides, save ratios paired by repetition, and check the aims."""
    for name, runs in costs.items():
        seconds, peak = (statistics.median(getattr(run, field) for run in runs) for field in ("seconds", "peak_bytes"))
        print(f"{name:<28} {seconds:6.1f} s {peak / 1e6:8,.0f} MB peak  {sizes[name] / weights:.4f} x the weights")

    def ratio(field: str, other: str) -> float:
        pairs = zip(costs[OURS], costs[other], strict=True)
        return float(statistics.median(getattr(mine, field) / getattr(theirs, field) for mine, theirs in pairs))

    aims = []
    for other in (OPTIMUM, UNVALIDATED):
        for field, what in (("seconds", "time"), ("peak_bytes", "peak memory")):
            reached = ratio(field, other)
            aims.append(Aim(f"{what} over {other}", "< 1", f"{reached:.2f}", reached < 1))
    share = sizes[OURS] / weights
    aims.append(Aim("bytes over weights", "<= 1.05", f"{share:.4f}", share <= 1.05))
    figures = {
        name: {
            "seconds": [run.seconds for run in runs],
            "peak_bytes": [run.peak_bytes for run in runs],
            "onnx_bytes": sizes[name],
        }
        for name, runs in costs.items()
    }
    finish("export_cost", {**figures, "weights_bytes": weights}, aims, quick=quick)


if __name__ == "__main__":
    main()

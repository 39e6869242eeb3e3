"""Reports with maps of attention that tests choose."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.helpers.reports import verdict

if TYPE_CHECKING:
    from compare.report.schema import Report

#: The number of runtimes of `--runtimes all`.
RUNTIMES = 20


def attention(layers: int, heads: int, sequence: int, seed: int, *, causal: bool) -> dict[str, np.ndarray]:
    """Return a trace of random attention, (1, heads, query, key) for each layer."""
    rng = np.random.default_rng(seed)
    found = {}
    for layer in range(layers):
        weights = np.exp(3 * rng.standard_normal((1, heads, sequence, sequence)))
        weights = np.tril(weights) if causal else weights
        found[f"attention.{layer}"] = weights / weights.sum(-1, keepdims=True)
    return found


def with_maps(
    report: "Report", folder: Path, golden: dict[str, np.ndarray], run: dict[str, np.ndarray], different: int
) -> "Report":
    """Return a report of so many runtimes with this attention, the first of them different, with its maps."""
    from compare.numerics.diagnostics.heads import difference_maps, golden_maps

    names = [f"runtime-{number}" for number in range(RUNTIMES)]
    maps = {f"golden/{name}": array for name, array in golden_maps(golden).items()}
    found = difference_maps(run, golden)
    maps |= {f"{name}/{tensor}": array for name in names for tensor, array in found.items()}
    copy = report.model_copy(deep=True)
    known = next(row for row in copy.runtimes if row.gaps and row.gaps[4].tensor == "attention.0")
    layer = next(gap for gap in known.gaps if gap.heads)
    gaps = [
        replace(layer, tensor=tensor, heads=tuple(np.abs(run[tensor] - golden[tensor]).max(axis=(0, 2, 3)).tolist()))
        for tensor in golden
    ]
    wrong = verdict("different", tensor="attention.0", place="layer 0, attention", statistic="rms", multiple=9)
    fine = verdict("rounding", tensor="attention.0", place="layer 0, attention", statistic="rms", multiple=1)
    copy.runtimes = [
        replace(known, name=name, gaps=gaps, padding=None, verdict=wrong if at < different else fine)
        for at, name in enumerate(names)
    ]
    sequence = golden["attention.0"].shape[-1]
    copy.input.tokens, copy.input.sequence = ["word"] * sequence, sequence
    folder.mkdir(exist_ok=True)
    np.savez(folder / "maps.npz", **maps)
    copy.write(folder)
    return copy

"""Measure how time and memory of the reference attention grow with the sequence length, compared with torch's.

The reference runs in its streaming and full forms, in NumPy and torch. The input has 12 heads of 64, float32, causal,
batch 1; all sides take turns in one process, with the same number of threads. The full form stops at 8,192 positions,
because scores and probabilities of 16,384 would fill the memory. The streaming reference's peak memory is the memory
that NumPy allocates in addition to the inputs.
"""

import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from benchmarks.progress import one_by_one
from benchmarks.record import RESULTS, Aim, arguments, finish
from compare import machine, reference_attention, streaming_attention

LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192, 16384)
WHOLE_UP_TO = 8192
AT = 4096

STREAMING, EAGER, SDPA = "streaming, NumPy", "torch eager", "torch SDPA"


def main() -> None:
    options = arguments(__doc__)
    torch.set_num_threads(machine.cores())
    lengths = LENGTHS[:6] if options.quick else LENGTHS
    times = {length: time_all(length) for length in one_by_one("times, length", lengths)}
    long = [length for length in lengths if length >= 1024]
    memory = {length: peak_bytes(length) for length in one_by_one("memory, length", long)}
    for length in lengths:
        cells = (f"{name} {1000 * statistics.median(samples):,.1f}" for name, samples in times[length].items())
        print(f"{length:>6} positions, ms: {'; '.join(cells)}", flush=True)
    exponent = float(np.polyfit(np.log(list(memory)), np.log(list(memory.values())), 1)[0])
    print("streaming, NumPy, MB beyond the inputs:", {n: round(b / 1e6, 1) for n, b in memory.items()})
    plot(times, quick=options.quick)

    faster, behind = ratio(times[AT], EAGER, STREAMING), ratio(times[AT], STREAMING, SDPA)
    aims = [
        Aim(f"{EAGER} over {STREAMING} at {AT:,}", ">= 3", f"{faster:.2f}", faster >= 3),
        Aim(f"{STREAMING} over {SDPA} at {AT:,}", "<= 3.5", f"{behind:.2f}", behind <= 3.5),
        Aim("exponent of its peak memory", "1.0 +- 0.1", f"{exponent:.3f}", abs(exponent - 1) <= 0.1),
    ]
    figures = {"seconds": times, "peak_bytes": memory, "exponent": exponent, "threads": machine.cores()}
    finish("reference_scaling", figures, aims, quick=options.quick)


def sides(length: int) -> dict[str, Callable[[], Any]]:
    """Return the sides at one length, each as a function without arguments."""
    arrays = np.random.default_rng(0).standard_normal((3, 1, 12, length, 64), dtype=np.float32)
    query, key, value = arrays
    q, k, v = (torch.from_numpy(array) for array in arrays)
    found: dict[str, Callable[[], Any]] = {
        STREAMING: lambda: streaming_attention(query, key, value, causal=True),
        "streaming, Torch": lambda: streaming_attention(q, k, v, causal=True),
        SDPA: lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True),
    }
    if length <= WHOLE_UP_TO:
        found["whole, NumPy"] = lambda: reference_attention(query, key, value, causal=True)
        found["whole, Torch"] = lambda: reference_attention(q, k, v, causal=True)
        found[EAGER] = lambda: eager(q, k, v)
    return found


def eager(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return causal attention in separate steps, as in transformers' eager GPT-2: scores, mask, softmax, mix."""
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    seen = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    return torch.softmax(torch.where(seen, scores, torch.finfo(scores.dtype).min), dim=-1) @ value


@torch.inference_mode()
def time_all(length: int) -> dict[str, list[float]]:
    """Return the seconds of each call, with all sides in turns. The first turn does not count."""
    repetitions = max(3, min(15, 16384 // length))
    calls = sides(length)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repetitions + 1):
        for name in list(calls)[:: 1 if turn % 2 else -1]:
            start = time.perf_counter()
            calls[name]()
            if turn:
                times[name].append(time.perf_counter() - start)
    return times


def ratio(times: dict[str, list[float]], over: str, under: str) -> float:
    """Return the median ratio of one side's time to another's, paired by turn."""
    return statistics.median(x / y for x, y in zip(times[over], times[under], strict=True))


def peak_bytes(length: int) -> int:
    """Return the peak of NumPy memory of the streaming reference, with its result and without its inputs, in bytes."""
    streaming = sides(length)[STREAMING]
    tracemalloc.start()
    streaming()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def plot(times: dict[int, dict[str, list[float]]], *, quick: bool) -> None:
    """Draw time against length, both on logarithmic axes."""
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.subplots()
    for name in next(iter(times.values())):
        there = [length for length in times if name in times[length]]
        axes.plot(there, [1000 * statistics.median(times[n][name]) for n in there], marker="o", ms=4, label=name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("positions")
    axes.set_ylabel("ms, median")
    axes.set_title("Causal attention, 12 heads of 64, float32", loc="left", fontsize=10)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(RESULTS / f"reference_scaling{'.quick' if quick else ''}.png", dpi=100)


if __name__ == "__main__":
    main()

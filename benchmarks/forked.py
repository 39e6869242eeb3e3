"""Compare workers that are forked from a template with workers that are started on their own.

The model is the distilgpt2 architecture (with --quick, byte-gpt2), and the input has 64 tokens. Each pair of processes
holds the same runtime, one forked and one started on its own, and they take turns as in a comparison. Which of the two
is started first alternates from pair to pair. The true ratio of their times is 1, and so is that of their memories. The
memory of torch's processes differs by up to 7 % from start to start, and children of one template have the same, so
each pair has a template of its own. A pair also gives the time from the request for a process to its first answer,
which comes after the import of the libraries. Before that, every built-in runtime is traced in a process of each kind,
and the traces are compared bit by bit.
"""

import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.record import Aim, arguments, finish
from benchmarks.stand import Stand, make_stand
from compare.latency.disturbance import MAX_LOAD
from compare.latency.rounds import precise, run_rounds
from compare.latency.series import Role, Series
from compare.latency.statistics import paired_ratio
from compare.latency.worker_process import WorkerProcess
from compare.processes.environment import environment
from compare.processes.templates import find, template
from compare.results.latency import Ratio
from compare.runtimes.registry import BUILT_IN, spec_of
from compare.runtimes.spec import Spec
from compare.runtimes.tracer import trace
from compare.traces import same_bits

RUNTIMES = ("torch-eager", "onnxruntime")
TOKENS, SECONDS, PRECISION, PAIRS = 64, 20.0, 0.02, 20
QUICK_SECONDS, QUICK_PAIRS = 2.0, 2

#: The largest difference of a forked worker's memory, as a share of the other's.
MEMORY = 0.03

#: The largest time to the first answer of a forked worker, as a share of the other's. ONNX Runtime is imported quickly.
START = {"torch-eager": 0.1, "onnxruntime": 0.5}

Way = Literal["forked", "on its own"]
WAYS: tuple[Way, Way] = ("forked", "on its own")


@dataclass(frozen=True)
class Side:
    """A worker: seconds to its first answer, seconds to load and to the first call, and its memory in bytes."""

    first_answer_s: float
    load_s: float
    first_call_s: float
    peak_bytes: int
    settled_bytes: int


@dataclass(frozen=True)
class Pair:
    """Two workers of one runtime.

    estimate, low, high: the forked worker's time over the other's, with its interval. rounds: how many were taken.
    """

    runtime: str
    estimate: float
    low: float
    high: float
    rounds: int
    sides: dict[Way, Side]


def main() -> None:
    options = arguments(__doc__)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as templates:
        stand = make_stand(Path(scratch), TOKENS, "byte-gpt2" if options.quick else "distilgpt2-seeded")
        max_load = 1.0 if options.quick else MAX_LOAD  # a quick run counts every turn
        traced = [spec for spec in BUILT_IN if spec.default and "inspect" in spec.graphs and not spec.missing()]
        on_its_own = {spec.name: trace_of(stand, spec, "on-its-own") for spec in traced}
        for libraries in dict.fromkeys(spec.libraries for spec in traced):
            templates.enter_context(template(libraries, threads=stand.threads, say=print))
        forked = {spec.name: trace_of(stand, spec, "forked") for spec in traced}
        templates.close()
        equal = [name for name, found in forked.items() if same_bits(found, on_its_own[name].folder)]
        print(f"traces equal to the bit: {', '.join(equal) or 'none'}", flush=True)
        seconds, count = (QUICK_SECONDS, QUICK_PAIRS) if options.quick else (SECONDS, PAIRS)
        pairs = []
        for number in range(count):
            for runtime in RUNTIMES:
                pairs.append(pair(stand, runtime, number, seconds, max_load))
                print(line(pairs[-1]), flush=True)
    figures = {"pairs": [asdict(each) for each in pairs], "equal": equal, "traced": [spec.name for spec in traced]}
    finish("forked", figures, aims(pairs, len(equal), len(traced)), quick=options.quick)


def trace_of(stand: Stand, spec: Spec, way: str) -> Any:
    """Trace a runtime in a process that is forked if there is a template of its libraries."""
    out = stand.scratch / way / spec.name
    log = stand.scratch / "trace.log"
    return trace(spec.name, stand.entry.folder, stand.inputs, out, threads=stand.threads, log=log, timeout=600)


def pair(stand: Stand, runtime: str, number: int, seconds: float, max_load: float) -> Pair:
    """Take rounds of a forked worker and of one that was started on its own, with a new template for the former."""
    libraries = spec_of(runtime).libraries
    with template(libraries, threads=stand.threads, say=print):
        started = find(libraries, environment(stand.threads), None)
        assert started is not None and started.ready()
        return pair_of_workers(stand, runtime, number, seconds, max_load)


def pair_of_workers(stand: Stand, runtime: str, number: int, seconds: float, max_load: float) -> Pair:
    """Take rounds of the two workers. Which one starts first alternates."""
    ways = WAYS if number % 2 == 0 else WAYS[::-1]
    series: dict[Way, Series] = {}
    answered: dict[Way, float] = {}
    try:
        for way in ways:
            start = time.monotonic()
            series[way] = make_series(stand, runtime, way, max_load)
            series[way].import_libraries()
            answered[way] = time.monotonic() - start
        for way in ways:
            series[way].load()
        present = list(series.values())
        rounds = run_rounds(present, seconds=seconds, seed=number, done=lambda: precise(present, PRECISION, number))
    finally:
        for each in series.values():
            each.process.end()
    found = paired_ratio(series["forked"].turns, series["on its own"].turns, number)
    assert found is not None, f"no common undisturbed round; errors: {[each.error for each in present]}"
    sides = {
        way: Side(answered[way], each.load_s, each.first_call_s, each.peak_bytes, each.settled_bytes)
        for way, each in series.items()
    }
    return Pair(runtime, found.estimate, found.low, found.high, rounds, sides)


def make_series(stand: Stand, runtime: str, way: Way, max_load: float) -> Series:
    """Start a worker. The ratio's baseline is the worker that was started on its own."""
    process = WorkerProcess(
        runtime,
        {"runtime": runtime, "model": stand.entry.folder, "inputs": stand.inputs},
        threads=stand.threads,
        log=stand.scratch / f"{way}.log",
        timeout=600,
        max_load=max_load,
        libraries=spec_of(runtime).libraries if way == "forked" else (),
    )
    role = Role.RUNTIME if way == "forked" else Role.BASELINE
    return Series(process, role, role.graph)


def line(found: Pair) -> str:
    forked, other = found.sides["forked"], found.sides["on its own"]
    return (
        f"{found.runtime:<12} {found.estimate:.4f} [{found.low:.4f}, {found.high:.4f}], {found.rounds} rounds; "
        f"MB {forked.settled_bytes / 1e6:.1f} and {other.settled_bytes / 1e6:.1f}, "
        f"peak {forked.peak_bytes / 1e6:.1f} and {other.peak_bytes / 1e6:.1f}; "
        f"first answer after {forked.first_answer_s:.3f} and {other.first_answer_s:.3f} s, "
        f"load {forked.load_s:.3f} and {other.load_s:.3f} s"
    )


def over_pairs(ratios: list[float]) -> Ratio:
    """Return the midmean of ratios over pairs of processes, with its interval, as of ratios over rounds."""
    found = paired_ratio(
        {number: [round(1e9 * ratio)] for number, ratio in enumerate(ratios)},
        {number: [10**9] for number in range(len(ratios))},
        seed=0,
    )
    assert found is not None
    return found


def aims(pairs: list[Pair], equal: int, traced: int) -> list[Aim]:
    found = []
    for runtime in RUNTIMES:
        of_runtime = [each for each in pairs if each.runtime == runtime]
        ratio = over_pairs([each.estimate for each in of_runtime])
        reached = f"{ratio.estimate:.4f} [{ratio.low:.4f}, {ratio.high:.4f}]"
        found.append(Aim(f"{runtime}, forked over on its own", "holds 1", reached, ratio.low <= 1 <= ratio.high))
        for what in ("peak_bytes", "settled_bytes"):
            off = abs(ratio_of_means(of_runtime, what) - 1)
            aimed = f"within {100 * MEMORY:g} %"
            found.append(Aim(f"{what.replace('_bytes', ' memory')}", aimed, f"{100 * off:.2f} %", off <= MEMORY))
        start = median(of_runtime, "first_answer_s")
        aimed = f"<= {START[runtime]:g} x"
        found.append(Aim("time to the first answer", aimed, f"{start:.3f} x", start <= START[runtime]))
    holding = sum(each.low <= 1 <= each.high for each in pairs)
    least = round(0.9 * len(pairs))
    found.append(Aim("intervals that hold 1", f">= {least}", f"{holding} of {len(pairs)}", holding >= least))
    return [*found, Aim("traces equal to the bit", f"all {traced}", str(equal), equal == traced)]


def median(pairs: list[Pair], what: str) -> float:
    """Return the median over pairs of the forked worker's figure over the other's."""
    forked, other = both(pairs, what)
    return float(np.median(forked / other))


def ratio_of_means(pairs: list[Pair], what: str) -> float:
    """Return the mean of the forked workers' figures over that of the others'."""
    forked, other = both(pairs, what)
    return float(forked.mean() / other.mean())


def both(pairs: list[Pair], what: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a figure of each pair's forked worker, and of the other."""
    forked, other = (np.array([getattr(each.sides[way], what) for each in pairs], float) for way in WAYS)
    return forked, other


if __name__ == "__main__":
    main()

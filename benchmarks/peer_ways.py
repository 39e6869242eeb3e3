"""The ways to time ONNX Runtime against torch in `benchmarks.peers`: ours, optimum-benchmark's, and each alone."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.export_cost import save_source
from benchmarks.peer_environments import peer_python
from compare import machine
from compare.latency.rounds import run_rounds
from compare.latency.series import Role, Series
from compare.latency.statistics import paired_ratio, typical
from compare.latency.worker_process import WorkerProcess
from compare.pipeline.inputs import tokenize
from compare.processes.environment import environment as child_environment
from compare.traces import write_trace
from export.exporting import exported

PEERS = Path(__file__).with_name("latency_peers.txt")
OPTIMUM, ALONE = (Path(__file__).with_name(name) for name in ("optimum_side.py", "alone_side.py"))

TOKENS = 64
#: Seconds of our rounds, chosen so that a run takes no longer than one with the faster launcher.
SECONDS = 25.0

OURS, PROCESS, INLINE, OUR_CALLS, THEIR_CALLS = "ours", "process", "inline", "our calls", "their calls"


@dataclass(frozen=True)
class Run:
    """The result of one run. ratio: ONNX Runtime over torch. medians: seconds of a call. wall: seconds of the run."""

    ratio: float
    medians: dict[str, float]
    wall: float
    also: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Setup:
    """The inputs of every run. entry: our graphs and weights. source: only the weights. theirs: optimum's graph."""

    entry: Path
    source: Path
    theirs: Path
    python: Path
    scratch: Path
    threads: int


def prepare(scratch: Path) -> Setup:
    """Make weights, inputs and the graphs of both sides, before anything is timed."""
    setup = Setup(
        entry=exported("distilgpt2-seeded").folder,
        source=scratch / "source",
        theirs=scratch / "theirs",
        python=peer_python(PEERS),
        scratch=scratch,
        threads=machine.cores(),
    )
    inputs = tokenize(setup.entry, text=None, sequence=TOKENS, batch=1, positions=1024)
    write_trace(scratch / "inputs", {"input_ids": inputs.input_ids, "attention_mask": inputs.attention_mask})
    np.save(scratch / "ids.npy", inputs.input_ids)
    save_source(setup.source)
    output_of([setup.python, "-P", OPTIMUM, "export", setup.source, setup.theirs], setup)
    return setup


def one_run(way: str, number: int, setup: Setup) -> Run:
    """Make one run of a way. number: the number of the run, which determines the order of its runtimes."""
    if way == OURS:
        return by_us(number, setup)
    if way in (PROCESS, INLINE):
        return by_optimum_benchmark(way, number, setup)
    return alone(way, number, setup)


def by_us(number: int, setup: Setup) -> Run:
    """Time the two runtimes in workers that take turns, as `python -m compare` does."""
    started = time.perf_counter()
    job = {"model": setup.entry, "inputs": setup.scratch / "inputs"}
    series = [
        Series(
            WorkerProcess(
                name,
                {**job, "runtime": name},
                threads=setup.threads,
                log=setup.scratch / "logs" / f"{number}-{name}.log",
                timeout=120,
            ),
            role,
            role.graph,
        )
        for role, name in ((Role.BASELINE, "torch-sdpa"), (Role.RUNTIME, "onnxruntime"))
    ]
    try:
        for each in series:
            each.import_libraries()
        for each in series:
            each.load()
        rounds = run_rounds(series, seconds=SECONDS, seed=number)
    finally:
        for each in series:
            each.process.end()
    wall = time.perf_counter() - started
    for each in series:
        if each.error:
            raise RuntimeError(f"{each.runtime}: {each.error}")
    turns = {each.runtime: each.turns for each in series}
    found = paired_ratio(turns["onnxruntime"], turns["torch-sdpa"], seed=0)
    assert found is not None
    medians = {name: 1e-9 * typical(samples) for name, samples in turns.items()}
    return Run(found.estimate, medians, wall, {"interval": asdict(found), "rounds": rounds})


def by_optimum_benchmark(launcher: str, number: int, setup: Setup) -> Run:
    """Launch each backend once, with default warm-up, iterations and duration. Return its reported medians."""
    started = time.perf_counter()
    seconds = {}
    for backend in in_turn(["pytorch", "onnxruntime"], number):
        folder = setup.source if backend == "pytorch" else setup.theirs
        command = [setup.python, "-P", OPTIMUM, backend, launcher, folder, setup.threads, TOKENS]
        seconds[backend] = json.loads(output_of(command, setup))["seconds"]
    wall = time.perf_counter() - started
    medians = {backend: statistics.median(taken) for backend, taken in seconds.items()}
    return Run(medians["onnxruntime"] / medians["pytorch"], medians, wall, {"calls": counts(seconds)})


def alone(way: str, number: int, setup: Setup) -> Run:
    """Time each runtime in a process that runs alone on the machine. The order alternates from run to run."""
    started = time.perf_counter()
    ours = way == OUR_CALLS
    seconds = {}
    for runtime in in_turn(["torch", "onnxruntime"], number):
        folder = setup.entry if ours else setup.source if runtime == "torch" else setup.theirs
        python, whose = (sys.executable, "our") if ours else (setup.python, "their")
        command = [python, "-P", ALONE, whose, runtime, folder, setup.threads, setup.scratch / "ids.npy"]
        seconds[runtime] = [1e-9 * nanoseconds for nanoseconds in json.loads(output_of(command, setup))]
    wall = time.perf_counter() - started
    medians = {runtime: statistics.median(taken) for runtime, taken in seconds.items()}
    return Run(medians["onnxruntime"] / medians["torch"], medians, wall, {"calls": counts(seconds)})


def in_turn(names: list[str], number: int) -> list[str]:
    return names[:: -1 if number % 2 else 1]


def counts(seconds: dict[str, list[float]]) -> dict[str, int]:
    return {name: len(taken) for name, taken in seconds.items()}


def output_of(command: Sequence[Any], setup: Setup) -> str:
    """Run a command offline, with the same number of threads in all libraries, in the scratch. Return its output."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, env=child_environment(setup.threads), cwd=setup.scratch, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout

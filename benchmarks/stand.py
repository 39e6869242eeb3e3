"""What benchmarks time their workers on: a model, an input, and processes that have loaded it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare import machine
from compare.latency.disturbance import MAX_LOAD
from compare.latency.series import Role, Series
from compare.latency.worker_process import WorkerProcess
from compare.pipeline.inputs import tokenize
from compare.traces import write_trace
from export.cache import Entry
from export.exporting import exported


@dataclass(frozen=True)
class Stand:
    """The model and its input. scratch: the folder of logs. threads: of every worker."""

    entry: Entry
    inputs: Path
    scratch: Path
    threads: int


def make_stand(scratch: Path, tokens: int, model: str = "distilgpt2-seeded") -> Stand:
    """Export a model and save its input, one sequence of this many tokens of the default text."""
    entry = exported(model)
    found = tokenize(entry.folder, text=None, sequence=tokens, batch=1, positions=entry.manifest.model["positions"])
    write_trace(scratch / "inputs", {"input_ids": found.input_ids, "attention_mask": found.attention_mask})
    return Stand(entry, scratch / "inputs", scratch, machine.cores())


def ask(module: str, stand: Stand, *between: str, before: tuple[str, ...] = ()) -> Any:
    """Run a module in a new process and return the JSON that it prints."""
    arguments = [*before, str(stand.entry.folder), str(stand.inputs), *between, str(stand.threads)]
    return json.loads(
        subprocess.run([sys.executable, "-m", module, *arguments], check=True, capture_output=True).stdout
    )


@contextmanager
def loaded(stand: Stand, runtimes: Mapping[Role, str], *, max_load: float = MAX_LOAD) -> Iterator[dict[Role, Series]]:
    """Context manager that starts a process for each runtime, loads the model, and ends the processes."""
    series = {
        role: Series(
            WorkerProcess(
                runtime,
                {"runtime": runtime, "model": stand.entry.folder, "inputs": stand.inputs},
                threads=stand.threads,
                log=stand.scratch / f"{place}.log",
                timeout=120,
                max_load=max_load,
            ),
            role,
            role.graph,
        )
        for place, (role, runtime) in enumerate(runtimes.items())
    }
    try:
        for step in (Series.import_libraries, Series.load):
            for each in series.values():
                step(each)
        yield series
    finally:
        for each in series.values():
            each.process.end()

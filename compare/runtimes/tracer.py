"""The trace process: loads one runtime with all taps, runs it on one input or two, writes its tensors, and ends.

It knows the registry and nothing of what is done with the trace. `python -m compare.runtimes.tracer JOB`.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from compare.processes.child import ChildFailed, run_child
from compare.processes.child_side import main_of_child
from compare.runtimes.registry import Runtime, spec_of
from compare.traces import Tensor, Trace, is_whole, write_trace


class Second(NamedTuple):
    """A second input for a runtime that is loaded already. rows: how many sequences it takes at a time."""

    inputs: Path
    out: Path
    rows: int


def trace(
    runtime: str,
    model_folder: Path,
    inputs: Path,
    out: Path,
    *,
    second: Second | None = None,
    threads: int,
    log: Path,
    timeout: float,
) -> Trace:
    """Run a runtime in a process of its own on the inputs of a trace folder, and open what it wrote.

    `timeout` in seconds. Raises `compare.processes.child.ChildFailed` where it crashes, hangs or raises. Where it does
    on the second input alone, the second trace holds no tensors, and why as "error" among its facts.
    """
    job = {"runtime": runtime, "model": model_folder, "inputs": inputs, "out": out, "second": second}
    try:
        run_child("compare.runtimes.tracer", job | {"threads": threads}, threads=threads, log=log, timeout=timeout)
    except ChildFailed as error:
        if second is None or not is_whole(out):
            raise
        write_trace(second.out, {}, {"error": str(error)})
    return Trace(out)


def _work(job: dict[str, Any]) -> None:
    runtime = spec_of(job["runtime"]).load_class()(Path(job["model"]), threads=job["threads"], graph="inspect")
    _run(runtime, Path(job["inputs"]), Path(job["out"]))
    if job["second"] is not None:
        inputs, out, rows = job["second"]
        _run(runtime, Path(inputs), Path(out), rows)
    runtime.close()


def _run(runtime: Runtime, inputs: Path, out: Path, rows: int | None = None) -> None:
    """Write the trace of one input. rows: how many of its sequences go into one pass, all by default."""
    given = Trace(inputs)
    # Copies: a memory-mapped file opened for reading is not writable, which torch warns of.
    ids, mask = given["input_ids"].copy(), given["attention_mask"].copy()
    step = rows or len(ids)
    parts = [runtime.run(ids[row : row + step], mask[row : row + step]) for row in range(0, len(ids), step)]
    write_trace(out, {name: _joined([part[name] for part in parts]) for name in parts[0]}, {"facts": runtime.facts()})


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


if __name__ == "__main__":
    main_of_child(_work)

"""The trace process: load one runtime with all taps, run it on one or two inputs, write its tensors, and exit.

    python -m compare.runtimes.tracer JOB

It imports the registry, but not the code that uses the traces.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from compare.processes.child import ChildFailed, Launch, run_child
from compare.processes.child_side import main_of_child
from compare.runtimes.registry import spec_of
from compare.runtimes.spec import Runtime
from compare.traces import Tensor, Trace, is_whole, write_trace


class Second(NamedTuple):
    """A second input for a runtime that is already loaded.

    inputs: the trace folder with the input.
    out: the folder for its trace.
    at_once: how many sequences go into one pass.
    """

    inputs: Path
    out: Path
    at_once: int


def trace(
    runtime: str,
    model_folder: Path,
    inputs: Path,
    out: Path,
    *,
    arguments: Mapping[str, Any] | None = None,
    second: Second | None = None,
    threads: int,
    log: Path,
    timeout: float,
    memory: float | None = None,
) -> Trace:
    """Trace a runtime in a process of its own, and open the trace.

    runtime: its name.
    model_folder: the folder of the model's cache entry.
    inputs: the trace folder with the input.
    out: the folder for the trace.
    arguments: further arguments of the runtime, its device and options, if it has any.
    second: a second input for the same process.
    threads: the number of threads that the runtime may compute with.
    log: the file for what the process prints.
    timeout: the most time that the process may take, in seconds.
    memory: bytes that the process may have, None for what is free.

    Raises `compare.processes.child.ChildFailed` if the process crashes, hangs or raises. If it fails only on the second
    input, the second trace has no tensors, and its facts hold the reason as "error".
    """
    spec = spec_of(runtime)
    job = {"runtime": runtime, "model": model_folder, "inputs": inputs, "out": out, "arguments": arguments or {}}
    launch = Launch(
        "compare.runtimes.tracer",
        job | {"second": second, "threads": threads},
        threads=threads,
        log=log,
        libraries=spec.libraries,
        python=spec.python,
    )
    try:
        run_child(launch, timeout=timeout, memory=memory)
    except ChildFailed as error:
        if second is None or not is_whole(out):
            raise
        write_trace(second.out, {}, {"error": str(error)})
    if not is_whole(out):
        raise ChildFailed("it ended with exit code 0 and wrote no output")
    if second is not None and not is_whole(second.out):
        write_trace(second.out, {}, {"error": "it ended with exit code 0 and wrote no output"})
    return Trace(out)


def _work(job: dict[str, Any]) -> None:
    kind = spec_of(job["runtime"]).load_class()
    runtime = kind(Path(job["model"]), threads=job["threads"], graph="inspect", **job["arguments"])
    _run(runtime, Path(job["inputs"]), Path(job["out"]))
    if job["second"] is not None:
        inputs, out, at_once = job["second"]
        _run(runtime, Path(inputs), Path(out), at_once)
    runtime.close()


def _run(runtime: Runtime, inputs: Path, out: Path, at_once: int | None = None) -> None:
    """Run a runtime on one input and write its trace.

    at_once: how many sequences go into one pass; all by default.
    """
    given = Trace(inputs)
    # Copied, because torch warns of arrays that are not writable, such as these memory-mapped ones.
    ids, mask = given["input_ids"].copy(), given["attention_mask"].copy()
    step = at_once or len(ids)
    parts = [runtime.run(ids[row : row + step], mask[row : row + step]) for row in range(0, len(ids), step)]
    write_trace(out, {name: _joined([part[name] for part in parts]) for name in parts[0]}, {"facts": runtime.facts()})


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


if __name__ == "__main__":
    main_of_child(_work)

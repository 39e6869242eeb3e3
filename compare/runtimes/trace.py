"""The trace process: loads one runtime with all taps, runs it once, writes its named tensors, and ends.

It knows the registry and nothing of what is done with the trace. `python -m compare.runtimes.trace JOB`.
"""

from pathlib import Path
from typing import Any

from compare.child import main_of_child, run_child
from compare.runtimes.registry import spec_of
from compare.traces import Trace, write_trace


def trace(
    runtime: str, model_folder: Path, inputs: Path, out: Path, *, threads: int, log: Path, timeout: float
) -> Trace:
    """Run a runtime in a process of its own on the inputs of a trace folder, and open what it wrote.

    `timeout` in seconds. Raises `compare.child.ChildFailed` where it crashes, hangs or raises.
    """
    job = {"runtime": runtime, "model": model_folder, "inputs": inputs, "out": out, "threads": threads}
    run_child("compare.runtimes.trace", job, threads=threads, log=log, timeout=timeout)
    return Trace(out)


def _work(job: dict[str, Any]) -> None:
    inputs = Trace(Path(job["inputs"]))
    runtime = spec_of(job["runtime"]).load_class()(Path(job["model"]), threads=job["threads"], graph="inspect")
    # Copies: a memory-mapped file opened for reading is not writable, which torch warns of.
    tensors = runtime.run(inputs["input_ids"].copy(), inputs["attention_mask"].copy())
    write_trace(Path(job["out"]), tensors, {"facts": runtime.facts()})
    runtime.close()


if __name__ == "__main__":
    main_of_child(_work)

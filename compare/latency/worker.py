"""A latency worker: a process that holds one runtime with one graph, or one of the machine's limits, and runs it.

    python -m compare.latency.worker JOB

It imports the runtime's libraries, then answers each line on stdin with a line of JSON on stdout, and exits at the end
of stdin:

    import        nothing; the libraries are imported               {}
    load GRAPH    load the model, make the first call               {"load_s": ..., "first_call_s": ..., "facts": {...}}
    stand N       move to the CPU on which round N starts           {}
    call          one timed call                                    {"ns": [...]}
    turn N        one untimed call, then N timed ones               {"ns": [...]}
    generate N    generate N tokens (`compare.latency.decoding`)    {"prefill_ns": ..., "ns": [...], "tokens": [[...]]}
    inputs FOLDER use the inputs of that trace, make a call         {"error": ..., or null}
    operators     run once and count the operators                  {operator: how often}
    rerun NAME    rerun with other inputs, write the output         {"error": ..., or null}
    follow N M    prefill N positions, decode in up to M steps and  {"error": ..., or null}
                  one call for the rest, write the logits

The last three are for the time after the rounds, when nothing is timed any more. A rerun takes its inputs and its
number of threads from the trace folder VARIANTS/NAME. Outputs are written to OUT/NAME and OUT/follow-N. The job gives
the folders VARIANTS and OUT. `follow` and `generate` need the graph "decode".
"""

import gc
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from compare.latency.decoding import follow, generate, prompt_length
from compare.latency.machine_limits import limit_or_runtime
from compare.processes.child_side import in_a_line, main_of_child, questions
from compare.runtimes.spec import Decoder, Graph, LoopDecoder, Runtime, SelfTimed, SelfTimedDecoder
from compare.traces import Trace, write_trace


class _Loaded(NamedTuple):
    """A loaded runtime, and the number of threads that it may compute with."""

    runtime: Runtime
    threads: int


class _Worker:
    """What a worker keeps between commands, and a method for each of them, which returns the answer."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self._ids, self._mask = inputs_of(Trace(Path(job["inputs"])))
        self._make = partial(
            limit_or_runtime(job["runtime"]).load_class(), Path(job["model"]), **job.get("arguments", {})
        )
        self._held: _Loaded | None = None

    @property
    def _loaded(self) -> _Loaded:
        """What is loaded. Use it without a name: a second reference would keep a model that is replaced in memory."""
        if self._held is None:
            raise ValueError("no graph is loaded; send load GRAPH first")
        return self._held

    def _replace(self, graph: Graph, threads: int) -> float:
        """Load a graph in place of the loaded one, and return the seconds that this took.

        The old model is freed first, so that two models are never in memory at once.
        """
        if self._held is not None:
            self._held.runtime.close()
            self._held = None
            start_afresh()
        started = time.perf_counter()
        self._held = _Loaded(self._make(threads=threads, graph=graph), threads)
        return time.perf_counter() - started

    def imported(self) -> dict[str, Any]:
        return {}

    def load(self, graph: str) -> dict[str, Any]:
        load_s = self._replace(cast(Graph, graph), self._job["threads"])
        started = time.perf_counter()
        self._loaded.runtime.run(self._ids, self._mask)
        first_call_s = time.perf_counter() - started
        collect_once()
        return {"load_s": load_s, "first_call_s": first_call_s, "facts": self._loaded.runtime.facts()}

    def stand(self, number: str) -> dict[str, Any]:
        stand(int(number))
        return {}

    def call(self) -> dict[str, Any]:
        return {"ns": timed_calls(self._loaded.runtime, self._ids, self._mask, 1)}

    def turn(self, calls: str) -> dict[str, Any]:
        return {"ns": turn(self._loaded.runtime, self._ids, self._mask, int(calls))}

    def generate(self, count: str) -> dict[str, Any]:
        prompt = self._ids[:, : prompt_length(self._mask, self._job["positions"])].copy()
        return generate(cast(Decoder | LoopDecoder, self._loaded.runtime), prompt, int(count))

    def use_inputs(self, folder: str) -> dict[str, Any]:
        self._ids, self._mask = inputs_of(Trace(Path(folder)))
        return {"error": untimed_call(self._loaded.runtime, self._ids, self._mask)}

    def operators(self) -> dict[str, int]:
        return self._loaded.runtime.operators(self._ids, self._mask)

    def rerun(self, name: str) -> dict[str, Any]:
        variant = Trace(Path(self._job["variants"]) / name)
        if variant.facts["threads"] != self._loaded.threads:
            self._replace("deploy", variant.facts["threads"])
        return {"error": written(partial(first_outputs, self._loaded.runtime, variant), Path(self._job["out"]) / name)}

    def follow(self, numbers: str) -> dict[str, Any]:
        prefill, steps = map(int, numbers.split())
        runtime = cast(Decoder | LoopDecoder, self._loaded.runtime)
        decode = partial(followed, runtime, self._ids, self._mask, prefill, steps)
        return {"error": written(decode, Path(self._job["out"]) / f"follow-{prefill}")}


#: The first word of each command, and the method that answers it. The method takes the rest of the line, if any.
_COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
    "import": _Worker.imported,
    "load": _Worker.load,
    "stand": _Worker.stand,
    "call": _Worker.call,
    "turn": _Worker.turn,
    "generate": _Worker.generate,
    "inputs": _Worker.use_inputs,
    "operators": _Worker.operators,
    "rerun": _Worker.rerun,
    "follow": _Worker.follow,
}


def _work(job: dict[str, Any]) -> None:
    asked = questions()  # before the worker imports libraries, so that what they print goes to the log
    worker = _Worker(job)
    for line, answer in asked:
        command, *arguments = line.split(" ", maxsplit=1)
        if command not in _COMMANDS:
            raise ValueError(
                f"unknown command {line!r}; the commands are import, load GRAPH, stand N, call, turn N, "
                "generate N, inputs FOLDER, operators, rerun NAME and follow N M"
            )
        answer(_COMMANDS[command](worker, *arguments))


def inputs_of(trace: Trace) -> tuple[Any, Any]:
    """Return the ids and the mask of a trace, copied because its arrays are mapped from files."""
    return trace["input_ids"].copy(), trace["attention_mask"].copy()


def collect_once() -> None:
    """Collect the garbage that loading left, and exclude the remaining objects from later collections.

    Python starts a collection after a certain number of new objects. For a model of many modules, a collection takes as
    long as a call, and would happen during one of the first timed calls.
    """
    gc.collect()
    gc.freeze()


def start_afresh() -> None:
    """Free the memory of a closed model, and reset the process's peak memory if the system can do so (proc(5))."""
    gc.unfreeze()
    gc.collect()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def stand(number: int) -> None:
    """Move to the CPU on which a round starts, without staying bound to it (Linux only).

    number: the number of the round. Each round starts on the next CPU.

    Virtual CPUs are not equally fast, because the host runs other work on them. Linux keeps a thread on its CPU, so one
    process could have a faster CPU than another in all of its turns. So all turns of a round start on the same CPU.
    """
    if sys.platform == "linux":
        free = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {sorted(free)[number % len(free)]})
        os.sched_setaffinity(0, free)


def turn(runtime: Runtime, ids: Any, mask: Any, calls: int) -> list[int]:
    """Make one untimed call, which warms up caches and threads, then the timed calls; return their nanoseconds."""
    if isinstance(runtime, SelfTimed):
        return runtime.timed(ids, mask, calls)
    runtime.run(ids, mask)
    return timed_calls(runtime, ids, mask, calls)


def timed_calls(runtime: Runtime, ids: Any, mask: Any, calls: int) -> list[int]:
    """Make some calls, and return the nanoseconds of each."""
    if isinstance(runtime, SelfTimed) and not isinstance(runtime, SelfTimedDecoder):
        return runtime.timed(ids, mask, calls)
    samples = []
    for _ in range(calls):
        start = time.perf_counter_ns()
        runtime.run(ids, mask)
        end = time.perf_counter_ns()
        samples.append(runtime.last_ns if isinstance(runtime, SelfTimedDecoder) else end - start)
    return samples


def untimed_call(runtime: Runtime, ids: Any, mask: Any) -> str | None:
    """Make one untimed call; return the error if it fails, else None."""
    try:
        runtime.run(ids, mask)
    except Exception as error:  # a runtime may raise anything
        return in_a_line(error, most=200)
    return None


def first_outputs(runtime: Runtime, inputs: Trace) -> dict[str, Any]:
    """Return the output of a run on other inputs, for the first sequences only.

    The fact "sequences" of the inputs gives their number; the default is one.
    """
    outputs = runtime.run(*inputs_of(inputs))
    return {name: tensor[: inputs.facts.get("sequences", 1)] for name, tensor in outputs.items()}


def followed(runtime: Decoder | LoopDecoder, ids: Any, mask: Any, prefill: int, steps: int) -> dict[str, Any]:
    """Return the logits of a text that is decoded after a prefill."""
    return {"logits": follow(runtime, ids, mask, prefill, steps)}


def written(run: Callable[[], dict[str, Any]], out: Path) -> str | None:
    """Write the outputs of a run to a trace folder; return the error if the run fails, else None.

    For example, a runtime whose graph has fixed shapes fails on other inputs.
    """
    try:
        found = run()
    except Exception as error:  # a runtime may raise anything
        return in_a_line(error, most=200)
    write_trace(out, found)
    return None


if __name__ == "__main__":
    main_of_child(_work)

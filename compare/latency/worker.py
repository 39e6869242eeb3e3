"""A latency worker: a process that holds one runtime with one graph alone, or one of the machine's limits, and runs it.

It answers lines on stdin with lines of JSON on stdout:

    import        import the runtime's libraries                    {}
    load GRAPH    load the model, make the first call               {"load_s": ..., "first_call_s": ..., "facts": {...}}
    stand N       go to the CPU that round N begins on              {}
    turn N        one call that does not count, then N that do      {"ns": [...]}
    generate      a short generation (`compare.latency.decoding`)   {"prefill_ns": ..., "ns": [...], "tokens": [[...]]}
    inputs FOLDER take the inputs there, make a call on them        {"error": ..., or null}
    operators     run once more, counting operators                 {operator: how often}
    rung NAME     run other inputs, write the logits                {"error": ..., or null}
    follow N      prefill N positions, step on, write the logits    {"error": ..., or null}

The last three come after the rounds: nothing is timed any more. The inputs of a rung, and with how many threads it is
run, are the trace folder RUNGS/NAME; logits go into OUT/NAME and OUT/follow-N. The job names both. `follow` and
`generate` are for a worker with the graph "decode".
`python -m compare.latency.worker JOB`; it ends when stdin does.
"""

import gc
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

from compare.latency.decoding import follow, generate, prompt_length
from compare.latency.machine_limits import spec_of
from compare.processes.child_side import in_a_line, main_of_child, questions
from compare.runtimes.registry import Decoder, Graph, Runtime
from compare.traces import Trace, write_trace


def _work(job: dict[str, Any]) -> None:
    inputs = Trace(Path(job["inputs"]))
    ids, mask = inputs["input_ids"].copy(), inputs["attention_mask"].copy()
    kind: type[Runtime] | None = None
    runtime: Runtime | None = None
    for line, answer in questions():
        match line.split(maxsplit=1):
            case ["import"]:
                kind = spec_of(job["runtime"]).load_class()
                answer({})
            case ["load", graph]:
                assert kind is not None, "load before import"
                if runtime is not None:
                    runtime.close()
                    del runtime
                    start_afresh()
                started = time.perf_counter()
                runtime = kind(Path(job["model"]), threads=job["threads"], graph=cast(Graph, graph))
                loaded = time.perf_counter()
                runtime.run(ids, mask)
                called = time.perf_counter()
                collect_once()
                answer({"load_s": loaded - started, "first_call_s": called - loaded, "facts": runtime.facts()})
            case ["stand", number]:
                stand(int(number))
                answer({})
            case ["turn", calls]:
                assert runtime is not None, "turn before load"
                answer({"ns": turn(runtime, ids, mask, int(calls))})
            case ["generate"]:
                assert runtime is not None, "generate before load"
                answer(generate(cast(Decoder, runtime), ids[:, : prompt_length(mask, job["positions"])].copy()))
            case ["inputs", folder]:
                assert runtime is not None, "inputs before load"
                given = Trace(Path(folder))
                ids, mask = given["input_ids"].copy(), given["attention_mask"].copy()
                answer({"error": untimed_call(runtime, ids, mask)})
            case ["operators"]:
                assert runtime is not None, "operators before load"
                answer(runtime.operators(ids, mask))
            case ["rung", name]:
                assert kind is not None and runtime is not None, "rung before load"
                rung = Trace(Path(job["rungs"]) / name)
                if rung.facts["threads"] != job["threads"]:
                    runtime = kind(Path(job["model"]), threads=rung.facts["threads"], graph="deploy")
                answer({"error": written(partial(first_logits, runtime, rung), Path(job["out"]) / name)})
            case ["follow", prefill]:
                assert runtime is not None, "follow before load"
                logits = partial(follow, cast(Decoder, runtime), ids, mask, int(prefill))
                answer({"error": written(logits, Path(job["out"]) / f"follow-{prefill}")})
            case _:
                raise ValueError(
                    "the worker knows import, load GRAPH, stand N, turn N, generate, inputs FOLDER, operators, "
                    f"rung NAME and follow N, not {line!r}"
                )


def collect_once() -> None:
    """Collect what loading left behind, and let no later collection look at what stays.

    Python collects when so many objects were made. For a model of many modules that takes as long as a call, and it
    would fall into one of the first that are timed.
    """
    gc.collect()
    gc.freeze()


def start_afresh() -> None:
    """Let go of a model that was closed, and let the peak of memory begin anew where that can be asked (proc(5))."""
    gc.unfreeze()
    gc.collect()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def stand(number: int) -> None:
    """Go to the CPU that a round begins on, the next one in each round, and be free to leave it (Linux alone).

    CPUs that look alike are not: others use the machine below them. Linux leaves a thread where it was, so without this
    one process has the better CPU in all of its turns and the next one the worse. In a round all begin on the same.
    """
    if sys.platform == "linux":
        free = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {sorted(free)[number % len(free)]})
        os.sched_setaffinity(0, free)


def turn(runtime: Runtime, ids: Any, mask: Any, calls: int) -> list[int]:
    """One call that wakes caches and threads, then the timed ones, in nanoseconds; nothing else between the reads."""
    runtime.run(ids, mask)
    samples = []
    for _ in range(calls):
        start = time.perf_counter_ns()
        runtime.run(ids, mask)
        end = time.perf_counter_ns()
        samples.append(end - start)
    return samples


def untimed_call(runtime: Runtime, ids: Any, mask: Any) -> str | None:
    """One call; why it failed, where it did."""
    try:
        runtime.run(ids, mask)
    except Exception as error:  # whatever a runtime raises is its answer
        return in_a_line(error, most=200)
    return None


def first_logits(runtime: Runtime, inputs: Trace) -> Any:
    """The logits of a run on other inputs, of as many sequences as they say: one where they say nothing."""
    logits = runtime.run(inputs["input_ids"].copy(), inputs["attention_mask"].copy())["logits"]
    return logits[: inputs.facts.get("sequences", 1)]


def written(logits: Callable[[], Any], out: Path) -> str | None:
    """Write what a run gives; where it gives nothing (it takes fixed shapes, say), why not."""
    try:
        found = logits()
    except Exception as error:  # whatever a runtime raises is its answer
        return in_a_line(error, most=200)
    write_trace(out, {"logits": found})
    return None


if __name__ == "__main__":
    main_of_child(_work)

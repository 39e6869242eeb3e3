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
    follow N      prefill N positions, decode, write the logits     {"error": ..., or null}

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
from typing import Any, cast

from compare.latency.decoding import follow, generate, prompt_length
from compare.latency.machine_limits import spec_of
from compare.processes.child_side import in_a_line, main_of_child, questions
from compare.runtimes.spec import Decoder, Graph, Runtime, SelfTimed, SelfTimedDecoder
from compare.traces import Trace, write_trace


def _work(job: dict[str, Any]) -> None:
    inputs = Trace(Path(job["inputs"]))
    ids, mask = inputs["input_ids"].copy(), inputs["attention_mask"].copy()
    asked = questions()
    kind = partial(spec_of(job["runtime"]).load_class(), Path(job["model"]), **job.get("arguments", {}))
    runtime: Runtime | None = None
    threads = job["threads"]
    for line, answer in asked:
        match line.split(maxsplit=1):
            case ["import"]:
                answer({})
            case ["load", graph]:
                if runtime is not None:
                    runtime.close()
                    runtime = None
                    start_afresh()
                started = time.perf_counter()
                threads = job["threads"]
                runtime = kind(threads=threads, graph=cast(Graph, graph))
                loaded = time.perf_counter()
                runtime.run(ids, mask)
                called = time.perf_counter()
                collect_once()
                answer({"load_s": loaded - started, "first_call_s": called - loaded, "facts": runtime.facts()})
            case ["stand", number]:
                stand(int(number))
                answer({})
            case ["call"]:
                assert runtime is not None, "call before load"
                answer({"ns": timed_calls(runtime, ids, mask, 1)})
            case ["turn", calls]:
                assert runtime is not None, "turn before load"
                answer({"ns": turn(runtime, ids, mask, int(calls))})
            case ["generate", count]:
                assert runtime is not None, "generate before load"
                prompt = ids[:, : prompt_length(mask, job["positions"])].copy()
                answer(generate(cast(Decoder, runtime), prompt, int(count)))
            case ["inputs", folder]:
                assert runtime is not None, "inputs before load"
                given = Trace(Path(folder))
                ids, mask = given["input_ids"].copy(), given["attention_mask"].copy()
                answer({"error": untimed_call(runtime, ids, mask)})
            case ["operators"]:
                assert runtime is not None, "operators before load"
                answer(runtime.operators(ids, mask))
            case ["rerun", name]:
                assert runtime is not None, "rerun before load"
                variant = Trace(Path(job["variants"]) / name)
                if variant.facts["threads"] != threads:
                    runtime.close()
                    runtime = None  # so that its memory is free before the next one is loaded
                    threads = variant.facts["threads"]
                    runtime = kind(threads=threads, graph="deploy")
                answer({"error": written(partial(first_outputs, runtime, variant), Path(job["out"]) / name)})
            case ["follow", prefill]:
                assert runtime is not None, "follow before load"
                decode = partial(followed, cast(Decoder, runtime), ids, mask, int(prefill))
                answer({"error": written(decode, Path(job["out"]) / f"follow-{prefill}")})
            case _:
                raise ValueError(
                    f"unknown command {line!r}; the commands are import, load GRAPH, stand N, call, turn N, "
                    "generate N, inputs FOLDER, operators, rerun NAME and follow N"
                )


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
    outputs = runtime.run(inputs["input_ids"].copy(), inputs["attention_mask"].copy())
    return {name: tensor[: inputs.facts.get("sequences", 1)] for name, tensor in outputs.items()}


def followed(runtime: Decoder, ids: Any, mask: Any, prefill: int) -> dict[str, Any]:
    """Return the logits of a text that is decoded after a prefill."""
    return {"logits": follow(runtime, ids, mask, prefill)}


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

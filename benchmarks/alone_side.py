"""Time one runtime alone in a plain process, without turns: the third way of `benchmarks.peers`, which runs it by path.

    python alone_side.py our|their torch|onnxruntime FOLDER THREADS IDS

It makes the same calls as the other ways: `our` is a forward pass; `their` is the prefill of a generation, which ends
when the first logits reach a logits processor. IDS is a .npy file, int64 (1, tokens). The script prints the nanoseconds
of each call as a line of JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WARM_UPS = 5
SECONDS = 4.0

Ids = NDArray[np.int64]

#: A function that makes one call and returns its time in nanoseconds.
Call = Callable[[], int]


def main() -> None:
    whose, runtime, folder, threads, ids = sys.argv[1:]
    call = CALLS[whose, runtime](Path(folder), int(threads), np.load(ids))
    for _ in range(WARM_UPS):
        call()
    samples = []
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        samples.append(call())
    print(json.dumps(samples))


def timed(function: Callable[[], Any]) -> Call:
    """Return a function that calls `function` and returns the time in nanoseconds."""

    def call() -> int:
        start = time.perf_counter_ns()
        function()
        return time.perf_counter_ns() - start

    return call


def our_torch(folder: Path, threads: int, ids: Ids) -> Call:
    torch, model = torch_model(folder, threads)
    inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.ones(ids.shape, dtype=torch.int64)}
    return timed(torch.inference_mode()(lambda: model(**inputs, use_cache=False).logits.numpy()))


def our_onnxruntime(folder: Path, threads: int, ids: Ids) -> Call:
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "deploy.onnx", session_options(threads))
    return timed(lambda: session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)}))


def their_torch(folder: Path, threads: int, ids: Ids) -> Call:
    _, model = torch_model(folder, threads)
    return prefill(model, ids, logits_to_keep=0)  # as in optimum_side


def their_onnxruntime(folder: Path, threads: int, ids: Ids) -> Call:
    from optimum.onnxruntime import ORTModelForCausalLM

    options = session_options(threads)
    return prefill(ORTModelForCausalLM.from_pretrained(folder, session_options=options, use_io_binding=True), ids)


def torch_model(folder: Path, threads: int) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(threads)
    return torch, AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval()


def session_options(threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return options


def prefill(model: Any, ids: Ids, **options: Any) -> Call:
    """Return a function that generates two tokens and returns the nanoseconds until the first token's logits."""
    import torch

    seen: list[int] = []

    def stamp(_: Any, scores: Any) -> Any:
        seen.append(time.perf_counter_ns())
        return scores

    inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.ones(ids.shape, dtype=torch.int64)}
    counts = {"max_new_tokens": 2, "min_new_tokens": 2, "do_sample": False}

    @torch.inference_mode()
    def call() -> int:
        seen.clear()
        start = time.perf_counter_ns()
        model.generate(**inputs, **counts, **options, logits_processor=[stamp])
        return seen[0] - start

    return call


CALLS = {
    ("our", "torch"): our_torch,
    ("our", "onnxruntime"): our_onnxruntime,
    ("their", "torch"): their_torch,
    ("their", "onnxruntime"): their_onnxruntime,
}


if __name__ == "__main__":
    main()

"""optimum-benchmark's side of `benchmarks.peers`; it runs in an environment of its own, by path.

    python optimum_side.py export FOLDER OUT
    python optimum_side.py pytorch|onnxruntime process|inline FOLDER THREADS TOKENS

`export` writes optimum's graph of the model in FOLDER, once, as ORTModelForCausalLM makes it. The others measure as
`optimum-benchmark` does by default and print a line of JSON: seconds of each prefill, in order.
"""

import json
import os
import sys
from typing import Any

import optimum.pipelines
from optimum.onnxruntime import ORTModelForCausalLM

# optimum 2.1 has no such table any more, optimum-benchmark 0.6 reads it. Not in main(): the process launcher's child
# imports this file again.
optimum.pipelines.ORT_SUPPORTED_TASKS = {"text-generation": {"class": (ORTModelForCausalLM,)}}


def main() -> None:
    if sys.argv[1] == "export":
        export(*sys.argv[2:])
        return
    backend, launcher, folder, threads, tokens = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is logged, in this process or in the launcher's child, is no answer
    print(json.dumps(measure(backend, launcher, folder, int(threads), int(tokens))), file=answers)


def export(folder: str, out: str) -> None:
    from transformers import AutoTokenizer

    ORTModelForCausalLM.from_pretrained(folder, export=True).save_pretrained(out)
    AutoTokenizer.from_pretrained(folder).save_pretrained(out)


def measure(backend: str, launcher: str, folder: str, threads: int, tokens: int) -> dict[str, Any]:
    from optimum_benchmark import Benchmark, BenchmarkConfig, InferenceConfig, InlineConfig, ProcessConfig

    # Two tokens: one is the prefill, and without a second there is nothing to call the decoding.
    scenario = InferenceConfig(
        input_shapes={"batch_size": 1, "sequence_length": tokens},
        generate_kwargs={"max_new_tokens": 2, "min_new_tokens": 2} | all_logits(backend),
    )
    config = BenchmarkConfig(
        name=backend,
        launcher={"process": ProcessConfig, "inline": InlineConfig}[launcher](),
        scenario=scenario,
        backend=backend_config(backend, folder, threads),
    )
    return {"seconds": Benchmark.launch(config).prefill.latency.values}


def all_logits(backend: str) -> dict[str, int]:
    """The graph gives logits of every position. In generation, torch would compute those of the last one alone."""
    return {"logits_to_keep": 0} if backend == "pytorch" else {}


def backend_config(backend: str, folder: str, threads: int) -> Any:
    from optimum_benchmark import ORTConfig, PyTorchConfig

    model = {
        "model": folder,
        "task": "text-generation",
        "library": "transformers",
        "model_type": "gpt2",
        "device": "cpu",
    }
    if backend == "pytorch":  # both, because its backend sets the one where it was given the other
        return PyTorchConfig(**model, intra_op_num_threads=threads, inter_op_num_threads=threads)
    return ORTConfig(**model, session_options={"intra_op_num_threads": threads})


if __name__ == "__main__":
    main()

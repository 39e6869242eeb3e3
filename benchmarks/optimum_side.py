"""optimum-benchmark's side of `benchmarks.peers`, which runs it by path in a separate environment.

    python optimum_side.py export FOLDER OUT
    python optimum_side.py pytorch|onnxruntime process|inline FOLDER THREADS TOKENS

`export` writes optimum's graph of the model in FOLDER, as ORTModelForCausalLM makes it. The second form measures as
`optimum-benchmark` does by default, and prints a line of JSON: seconds of each prefill, in order.
"""

import json
import os
import sys
from typing import Any

import optimum.pipelines
from optimum.onnxruntime import ORTModelForCausalLM

# optimum-benchmark 0.6 reads this table, which optimum 2.1 no longer has. It is not set in main(), because the child
# of the process launcher imports this file too.
optimum.pipelines.ORT_SUPPORTED_TASKS = {"text-generation": {"class": (ORTModelForCausalLM,)}}


def main() -> None:
    if sys.argv[1] == "export":
        export(*sys.argv[2:])
        return
    backend, launcher, folder, threads, tokens = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # logs of this process and of the launcher's child go to stderr
    print(json.dumps(measure(backend, launcher, folder, int(threads), int(tokens))), file=answers)


def export(folder: str, out: str) -> None:
    from transformers import AutoTokenizer

    ORTModelForCausalLM.from_pretrained(folder, export=True).save_pretrained(out)
    AutoTokenizer.from_pretrained(folder).save_pretrained(out)


def measure(backend: str, launcher: str, folder: str, threads: int, tokens: int) -> dict[str, Any]:
    from optimum_benchmark import Benchmark, BenchmarkConfig, InferenceConfig, InlineConfig, ProcessConfig

    # Two tokens: the prefill gives the first, and optimum-benchmark needs a second one as decoding.
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
    """Return the generation options that make torch compute logits of every position, as the graph does."""
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
    if backend == "pytorch":  # the backend sets one of these two if only the other is given
        return PyTorchConfig(**model, intra_op_num_threads=threads, inter_op_num_threads=threads)
    return ORTConfig(**model, session_options={"intra_op_num_threads": threads})


if __name__ == "__main__":
    main()

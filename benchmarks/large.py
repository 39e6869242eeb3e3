"""Compare a model with more than 2 GB of weights, which is made on the spot.

    python -m benchmarks.large

A protobuf file can have at most 2 GB, so this shows that graphs, their checks and the runtimes leave the weights
outside. The model is a Llama with random weights in several safetensors files. Nothing is timed. The exit code is that
of the comparison. It needs about 12 GB of memory and 9 GB of disk.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.progress import PROGRESS
from export.telemetry import turn_off

#: 672 million parameters, which are 2.7 GB in float32.
SIZES = {
    "vocab_size": 32_000,
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 12,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 2048,
}


def main() -> None:
    turn_off()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "large"
        PROGRESS.stage("making", "a model of 672 million parameters")
        save_model(folder)
        options = ["--model", folder, "--cache-dir", Path(scratch) / "cache", "--no-latency", "--sequence", "32"]
        command = [sys.executable, "-m", "compare", *map(str, options), "--runtimes", "torch-sdpa,onnxruntime"]
        sys.exit(subprocess.run(command, check=False).returncode)


def save_model(folder: Path) -> None:
    """Save the model in a folder, in files of at most 1 GB, without a tokenizer: its tokens are bytes."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**SIZES)).save_pretrained(folder, max_shard_size="1GB")


if __name__ == "__main__":
    main()

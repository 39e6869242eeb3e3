"""Compare a model with more than 2 GB of weights, which is made on the spot.

    python -m benchmarks.large

A protobuf file can have at most 2 GB, so this shows that graphs, their checks and the runtimes leave the weights
outside. The model is a Llama with random weights in several safetensors files. Nothing is timed. It needs about 12 GB
of memory and 9 GB of disk.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.progress import PROGRESS
from benchmarks.record import Aim, finish
from compare.report.schema import Report
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


#: The largest size that a process may have, in GB.
MOST = 12.0


def main() -> None:
    turn_off()
    with tempfile.TemporaryDirectory() as scratch:
        folder, out = Path(scratch) / "large", Path(scratch) / "report"
        PROGRESS.stage("making", "a model of 672 million parameters")
        save_model(folder)
        options = ["--model", folder, "--cache-dir", Path(scratch) / "cache", "--out", out, "--no-latency"]
        command = [sys.executable, "-m", "compare", *map(str, options), "--sequence", "32"]
        subprocess.run([*command, "--runtimes", "torch-sdpa,onnxruntime"], check=False)
        report = Report.read(out)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    verdicts = {row.name: row.verdict.kind if row.verdict else row.error for row in report.runtimes}
    right = sum(verdict == "rounding" for verdict in verdicts.values())
    aims = [
        Aim("rows that are rounding", "all 3", f"{right} of {len(verdicts)}", right == len(verdicts) == 3),
        Aim("GB of the largest process", f"<= {MOST:g}", f"{largest:.1f}", largest <= MOST),
    ]
    figures = {"verdicts": verdicts, "largest process, GB": largest, "phases": report.phases}
    finish("large", figures, aims, quick=False)


def save_model(folder: Path) -> None:
    """Save the model in a folder, in files of at most 1 GB, without a tokenizer: its tokens are bytes."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**SIZES)).save_pretrained(folder, max_shard_size="1GB")


if __name__ == "__main__":
    main()

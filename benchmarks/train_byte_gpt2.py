"""Train `byte-gpt2`, the small model that this project ships: a GPT-2 over bytes, on text that comes with Python.

The text is the documentation topics of the standard library and the docstrings of its modules, from the interpreter
that runs this. One document in twenty, chosen by its digest, is held out. Seed, steps and threads are fixed: with the
same text, packages and processor, the weights are the same bit for bit; otherwise the model is about the same. Training
takes 13 to 26 minutes on two cores, depending on load. With --quick it takes a minute and ships nothing.

The shipped files are in `export/byte_gpt2/`: configuration, weights, `training.json` with the loss curve, a picture of
the curve, and the licence of the text.
"""

import hashlib
import itertools
import json
import math
import platform
import shutil
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from transformers import GPT2LMHeadModel

from benchmarks.byte_gpt2_model import LENGTH, held_out_bits, new_model, previous_token_scores, unigram_bits
from benchmarks.byte_gpt2_text import digest_of, documents, encode, split
from benchmarks.record import Aim, arguments, finish

SHIPPED = Path(__file__).resolve().parent.parent / "export" / "byte_gpt2"
LICENCE = "LICENSE-PSF.txt"

SEED, THREADS = 0, 2
MUON_RATE, ADAM_RATE, WARM_UP, LAST_RATE = 0.02, 2e-3, 50, 0.05


@dataclass(frozen=True)
class Stage:
    """A stage of the training: a number of steps with a batch of windows of one length."""

    steps: int
    batch: int
    length: int

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return itertools.repeat((self.batch, self.length), self.steps)


STAGES = (Stage(1200, 32, 64), Stage(600, 16, 128), Stage(500, 8, 256), Stage(600, 4, LENGTH))
QUICK_STAGES = (Stage(80, 32, 64),)


@dataclass
class Curve:
    """The loss curve in bits per byte: of the batch at each step, and of the held-out text at some steps."""

    training: list[float] = field(default_factory=list)
    held_out: dict[int, float] = field(default_factory=dict)


def main() -> None:
    options = arguments(__doc__)
    torch.manual_seed(SEED)
    torch.set_num_threads(THREADS)
    texts = documents()
    learned, held_out = (encode(part) for part in split(texts))
    print(f"{len(texts):,} documents, {len(learned):,} bytes to learn from, {len(held_out):,} held out", flush=True)

    model = new_model()
    untrained = float(previous_token_scores(model, held_out).max())
    stages = QUICK_STAGES if options.quick else STAGES
    start = time.monotonic()
    curve = train(model, learned, held_out, stages)
    minutes = (time.monotonic() - start) / 60

    unigram, reached = unigram_bits(learned, held_out), curve.held_out[max(curve.held_out)]
    scores = previous_token_scores(model, held_out)
    figures = {
        "text": {"python": platform.python_version(), "documents": len(texts), "sha256": digest_of(texts)},
        "bytes": {"learned": len(learned), "held_out": len(held_out)},
        "training": {"seed": SEED, "stages": [asdict(stage) for stage in stages], "minutes": minutes},
        "bits_per_byte": {"held_out": reached, "unigram": unigram, "learned": float(np.mean(curve.training[-50:]))},
        "previous_token_score": {"best": float(scores.max()), "untrained": untrained, "layer_by_head": scores.tolist()},
        "curve": asdict(curve),
    }
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) if options.quick else SHIPPED
        size = ship(model, figures, out)
    finish("train_byte_gpt2", figures, aims(figures, size), quick=options.quick)


def aims(figures: dict[str, Any], size: int) -> list[Aim]:
    bits, score = figures["bits_per_byte"], figures["previous_token_score"]
    minutes, below = figures["training"]["minutes"], bits["unigram"] - bits["held_out"]
    times = score["best"] / score["untrained"]
    return [
        Aim("held-out bits per byte below unigram", ">= 1.0", f"{below:.2f}", below >= 1),
        Aim("previous-token score of the best head", ">= 0.5", f"{score['best']:.2f}", score["best"] >= 0.5),
        Aim("times the untrained model's", ">= 5", f"{times:.1f}", times >= 5),
        Aim("weights", "<= 8 MB", f"{size / 1e6:.2f} MB", size <= 8e6),
        Aim("training", "<= 30 minutes", f"{minutes:.1f}", minutes <= 30),
    ]


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def train(model: GPT2LMHeadModel, learned: Tensor, held_out: Tensor, stages: Sequence[Stage]) -> Curve:
    """Train the model and return its loss curve.

    Muon trains the matrices of the blocks, AdamW the rest. The rate warms up, then falls along a cosine to a twentieth.
    The windows grow from 64 bytes, at random offsets among the positions, to 512. With 512 from the start, a model of
    this size stays at the level of byte pairs (3.7 bits) for more than six hundred steps.
    """
    optimizers = make_optimizers(model)
    draw = torch.Generator().manual_seed(SEED)
    curve = Curve()
    steps = sum(stage.steps for stage in stages)
    for step, (batch, length) in enumerate(window for stage in stages for window in stage):
        starts = torch.randint(len(learned) - length, (batch,), generator=draw)
        ids = torch.stack([learned[start : start + length] for start in starts])
        first = torch.randint(LENGTH - length + 1, (batch, 1), generator=draw)
        loss = model(input_ids=ids, position_ids=first + torch.arange(length), labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * rate_at(step, steps)
            optimizer.step()
            optimizer.zero_grad()
        curve.training.append(loss.item() / math.log(2))
        if step % 200 == 0 or step == steps - 1:
            curve.held_out[step] = held_out_bits(model, held_out)
            score = previous_token_scores(model, held_out).max()
            print(
                f"step {step:>5}: {curve.training[-1]:.3f}, held out {curve.held_out[step]:.3f}, "
                f"previous-token score {score:.2f}",
                flush=True,
            )
    return curve


def make_optimizers(model: GPT2LMHeadModel) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices of the blocks, and AdamW for embeddings, gains and biases.

    Muon is made for matrices that map one hidden vector to another.
    """
    hidden = [p for name, p in model.named_parameters() if p.ndim == 2 and ".h." in name]
    rest = [p for name, p in model.named_parameters() if p.ndim == 1 or ".h." not in name]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(hidden, lr=MUON_RATE, weight_decay=0.1),
        torch.optim.AdamW(rest, lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["initial_lr"] = group["lr"]
    return optimizers


def rate_at(step: int, steps: int) -> float:
    """Return the learning rate at a step, as a fraction of the highest."""
    cosine = (1 + math.cos(math.pi * step / steps)) / 2
    return min(1.0, (step + 1) / WARM_UP) * (LAST_RATE + (1 - LAST_RATE) * cosine)


def ship(model: GPT2LMHeadModel, figures: dict[str, Any], out: Path) -> int:
    """Write the files of the model to a folder and return the size of the weights in bytes."""
    out.mkdir(exist_ok=True)
    model.save_pretrained(out)
    (out / "generation_config.json").unlink(missing_ok=True)
    record = {"weights_sha256": sha256_of(out / "model.safetensors"), **figures}
    (out / "training.json").write_text(json.dumps(record, indent=1) + "\n")
    shutil.copy(Path(sysconfig.get_path("stdlib")) / "LICENSE.txt", out / LICENCE)
    plot(figures, out / "loss_curve.png")
    return (out / "model.safetensors").stat().st_size


def plot(figures: dict[str, Any], path: Path) -> None:
    curve, bits = figures["curve"], figures["bits_per_byte"]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve["training"], lw=0.5, alpha=0.6, label="training batch")
    axes.plot(list(curve["held_out"]), list(curve["held_out"].values()), marker="o", ms=3, label="held out, 512 bytes")
    axes.axhline(bits["unigram"], color="gray", ls="--", lw=1, label=f"unigram {bits['unigram']:.2f}")
    axes.set_xlabel("step; windows of 64, 128, 256, then 512 bytes")
    axes.set_ylabel("bits per byte")
    axes.set_title(f"byte-gpt2: {bits['held_out']:.2f} bits per byte on held-out text", loc="left", fontsize=10)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()

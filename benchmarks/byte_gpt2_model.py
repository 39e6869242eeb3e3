"""The architecture of byte-gpt2, and its measures: bits per byte, and attention to the previous position."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

#: The number of positions, and the width of the hidden states.
LENGTH, HIDDEN = 512, 192


def new_model() -> GPT2LMHeadModel:
    """Return a new model of 1.9 million parameters: four layers with three heads of 64, initialised by transformers."""
    config = GPT2Config(
        vocab_size=256,
        n_positions=LENGTH,
        n_embd=HIDDEN,
        n_layer=4,
        n_head=3,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = GPT2LMHeadModel._from_config(config, attn_implementation="sdpa")
    with torch.no_grad():
        model.transformer.wpe.weight.copy_(sinusoids())
    return model


def sinusoids() -> Tensor:
    """Return the initial position embeddings: sines and cosines of geometric wavelengths, (positions, hidden).

    Source: Vaswani et al. 2017, section 3.5, with 200 instead of 10,000, because there are 512 positions. They are
    trained like all weights. From random embeddings, a model of this size learns far too late which positions are
    neighbours.
    """
    angles = torch.arange(LENGTH)[:, None] * 200.0 ** -torch.linspace(0, 1, HIDDEN // 2)
    return 0.1 * torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def windows(ids: Tensor) -> Tensor:
    """Cut text into windows that do not overlap, (windows, length); a shorter rest is dropped."""
    return ids[: len(ids) // LENGTH * LENGTH].view(-1, LENGTH)


@torch.inference_mode()
def held_out_bits(model: GPT2LMHeadModel, ids: Tensor) -> float:
    """Return mean bits per byte over windows of held-out text; the first byte of a window is given, not predicted."""
    batches = torch.split(windows(ids), 8)
    losses = [float(model(input_ids=batch, labels=batch).loss) * len(batch) for batch in batches]
    return sum(losses) / len(windows(ids)) / math.log(2)


def unigram_bits(learned: Tensor, held_out: Tensor) -> float:
    """Return bits per byte of a model that predicts each byte by its frequency in the training text (add-one)."""
    counts = torch.bincount(learned, minlength=256) + 1.0
    return float(-torch.log2(counts / counts.sum())[held_out].mean())


@torch.inference_mode()
def previous_token_scores(model: GPT2LMHeadModel, ids: Tensor) -> NDArray[np.float64]:
    """Return each head's mean attention to the previous position over held-out text, (layers, heads).

    The mean of attention[i, i - 1] over i >= 1, as in Olsson et al. 2022, "In-context Learning and Induction Heads".
    """
    model.set_attn_implementation("eager")
    sums = torch.zeros((model.config.n_layer, model.config.n_head))
    for batch in torch.split(windows(ids), 8):
        attentions = torch.stack(model(input_ids=batch, output_attentions=True).attentions)
        sums = sums + attentions.diagonal(offset=-1, dim1=-2, dim2=-1).mean(-1).sum(1)
    model.set_attn_implementation("sdpa")
    return np.asarray(sums / len(windows(ids)), dtype=np.float64)

"""Seeded weights that behave like trained ones where it matters: a stand-in where no trained weights can be had.

A freshly initialised GPT-2 hides faults: its biases are zero, its gains are one and all its heads look everywhere
alike, so a dropped bias or two swapped heads change nothing. Here biases and gains are random, each head's scores have
a spread of their own (from near one-hot to near uniform), and a few channels of the residual stream are outliers, as in
trained models (Kovaleva et al. 2021, "BERT Busters: Outlier Dimensions that Disrupt Transformers").

Every tensor is drawn from a generator of its own, keyed by seed and name, so adding one changes no other.
"""

import math
import zlib

import numpy as np
import torch
from transformers import PreTrainedModel

#: Standard deviation of a head's scores before the softmax: the flattest and the sharpest head of each layer.
_SCORES = (0.05, 12.0)
_OUTLIER_CHANNELS = 4
_OUTLIER_FACTOR = 8.0


def fill(model: PreTrainedModel, seed: int) -> None:
    """Overwrite every parameter of a transformers model in place; the same seed gives the same bits.

    Biases get a standard deviation of 0.05, norm gains lie around 1, matrices keep the size that the model's own
    initialisation uses. On GPT-2, which has query, key and value in one matrix, heads and outlier channels follow.
    """
    layers = model.config.num_hidden_layers
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = _noise(seed, name, tuple(parameter.shape))
            if name.endswith("bias"):
                parameter.copy_(0.05 * noise)
            elif parameter.ndim == 1:  # a gain: of a layer norm or a root-mean-square norm
                parameter.copy_(1.0 + 0.1 * noise)
            elif name.endswith("c_proj.weight"):  # feeds the residual stream, which adds up over the layers
                parameter.copy_(0.02 / math.sqrt(2 * layers) * noise)
            else:
                parameter.copy_(0.02 * noise)
        if model.config.model_type == "gpt2":
            _spread_heads(model, seed)
            _raise_outliers(model, seed)


def _noise(seed: int, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    generator = np.random.Generator(np.random.Philox(key=[seed, zlib.crc32(name.encode())]))
    return torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))


def _spread_heads(model: PreTrainedModel, seed: int) -> None:
    """Scale each head's query and key so that the standard deviation of its scores is drawn from `_SCORES`.

    The input of the matrix is a normalized row of length sqrt(hidden), so a weight of standard deviation s gives
    elements of s * sqrt(hidden), and scores, scaled by 1 / sqrt(head_dim), of s_query * s_key * hidden.
    """
    config = model.config
    hidden, heads = config.hidden_size, config.num_attention_heads
    head_dim = hidden // heads
    low, high = (math.log(x) for x in _SCORES)
    for i, block in enumerate(model.transformer.h):
        generator = np.random.Generator(np.random.Philox(key=[seed, i]))
        spread = np.exp(generator.permutation(np.linspace(low, high, heads)))
        size = np.sqrt(spread / hidden) / 0.02
        factor = torch.from_numpy(np.repeat(size, head_dim).astype(np.float32))
        block.attn.c_attn.weight[:, : 2 * hidden] *= torch.cat([factor, factor])


def _raise_outliers(model: PreTrainedModel, seed: int) -> None:
    """Make a few channels of the residual stream larger than the rest, wherever something is written into it."""
    hidden = model.config.hidden_size
    generator = np.random.Generator(np.random.Philox(key=[seed, hidden]))
    channels = torch.from_numpy(generator.choice(hidden, size=min(_OUTLIER_CHANNELS, hidden // 8), replace=False))
    model.transformer.wpe.weight[:, channels] *= _OUTLIER_FACTOR
    for block in model.transformer.h:
        block.attn.c_proj.weight[:, channels] *= _OUTLIER_FACTOR
        block.mlp.c_proj.weight[:, channels] *= _OUTLIER_FACTOR

"""Seeded random weights that do not hide faults, for models whose trained weights are not available.

A freshly initialised GPT-2 hides faults: its biases are zero, its gains are one, and the attention of all its heads is
nearly uniform, so a dropped bias or two swapped heads change nothing. Here biases and gains are random, the spread of
scores differs from head to head (from near one-hot to near uniform attention), and a few channels of the residual
stream are outliers, as in trained models (Kovaleva et al. 2021, "BERT Busters: Outlier Dimensions that Disrupt
Transformers").

Each tensor has its own random generator, keyed by seed and name, so adding a tensor does not change the others.
"""

import math
import zlib

import numpy as np
import torch
from transformers import PreTrainedModel

#: Standard deviation of a head's scores before the softmax, for the flattest and the sharpest head of each layer.
_SCORES = (0.05, 12.0)
_OUTLIER_CHANNELS = 4
_OUTLIER_FACTOR = 8.0


def fill(model: PreTrainedModel, seed: int) -> None:
    """Overwrite every parameter of a transformers model in place. The same seed gives the same bits.

    Biases have a standard deviation of 0.05, gains of norms are close to 1, and matrices have the scale of the model's
    own initialisation. For GPT-2, the spread of each head's scores and the outlier channels are then set.
    """
    layers = model.config.num_hidden_layers
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = _noise(seed, name, tuple(parameter.shape))
            if name.endswith("bias"):
                parameter.copy_(0.05 * noise)
            elif parameter.ndim == 1:  # a gain: of a layer norm or a root-mean-square norm
                parameter.copy_(1.0 + 0.1 * noise)
            elif name.endswith("c_proj.weight"):  # added to the residual stream, which grows over the layers
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
    """Scale each head's query and key so that the standard deviations of the heads' scores span `_SCORES`.

    The input of the matrix is a normalized row of length sqrt(hidden). Weights with standard deviation s therefore
    give elements with standard deviation s * sqrt(hidden), and the scores, which are scaled by 1 / sqrt(head_dim), have
    standard deviation s_query * s_key * hidden.
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
    """Enlarge a few channels of the residual stream, in every matrix that writes to it."""
    hidden = model.config.hidden_size
    generator = np.random.Generator(np.random.Philox(key=[seed, hidden]))
    channels = torch.from_numpy(generator.choice(hidden, size=min(_OUTLIER_CHANNELS, hidden // 8), replace=False))
    model.transformer.wpe.weight[:, channels] *= _OUTLIER_FACTOR
    for block in model.transformer.h:
        block.attn.c_proj.weight[:, channels] *= _OUTLIER_FACTOR
        block.mlp.c_proj.weight[:, channels] *= _OUTLIER_FACTOR

"""The runtimes that run the model in torch. They differ only in the attention."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compare.attention.reference import reference_attention
from compare.runtimes.sdpa_probabilities import sdpa_with_probabilities
from compare.runtimes.torch_model import TorchModel


class TorchEager(TorchModel):
    """torch-eager: transformers' eager attention, the baseline of all ratios."""

    attention = "eager"


class TorchSdpa(TorchModel):
    """torch-sdpa: torch's fused `scaled_dot_product_attention`.

    It never forms the probabilities, so they are read through values that are columns of the identity matrix.
    """

    attention = "sdpa"

    def _taps(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        with sdpa_with_probabilities():
            return super()._taps(input_ids, attention_mask)


class TorchBf16(TorchEager):
    """torch-bf16: torch-eager with all weights and activations in bf16."""

    dtype = "bfloat16"


class TorchFp16(TorchEager):
    """torch-fp16: torch-eager with all weights and activations in fp16."""

    dtype = "float16"


def in_torch(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float, softcap: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The reference attention as an `export.attention.AttentionFunction`."""
    return reference_attention(query, key, value, mask=mask, scale=scale, softcap=softcap)


class TorchReference(TorchModel):
    """torch-reference: the reference attention, on torch tensors."""

    attention = staticmethod(in_torch)


def in_numpy(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float, softcap: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The reference attention in NumPy, as an `export.attention.AttentionFunction`. Arrays and tensors share memory."""
    arrays = [tensor.numpy() for tensor in (query, key, value)]
    context, probabilities = reference_attention(*arrays, mask=mask.numpy(), scale=scale, softcap=softcap)
    return torch.from_numpy(context), torch.from_numpy(probabilities)


class NumpyReference(TorchModel):
    """numpy-reference: the reference attention on NumPy arrays, and the rest of the model in torch. It is a hybrid."""

    attention = staticmethod(in_numpy)

    def facts(self) -> dict[str, str]:
        return {**super().facts(), "numpy": np.__version__}

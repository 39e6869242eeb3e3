"""numpy-reference: the real model, its attention computed by the reference attention on NumPy arrays. A hybrid."""

import numpy as np
import torch
from torch import Tensor

from compare.attention.reference import reference_attention
from compare.runtimes.torch_model import TorchModel


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """The reference attention as an `export.taps.AttentionFunction`, by way of NumPy; torch shares NumPy's memory."""
    arrays = [tensor.numpy() for tensor in (query, key, value)]
    context, probabilities = reference_attention(*arrays, mask=mask.numpy(), scale=scale)
    return torch.from_numpy(context), torch.from_numpy(probabilities)


class NumpyReference(TorchModel):
    attention = staticmethod(attention)

    def facts(self) -> dict[str, str]:
        return {**super().facts(), "numpy": np.__version__}

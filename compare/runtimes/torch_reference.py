"""torch-reference: the real model with its attention replaced by the reference attention, all in torch."""

from torch import Tensor

from compare.attention.reference import reference_attention
from compare.runtimes.torch_model import TorchModel


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """The reference attention as an `export.taps.AttentionFunction`."""
    return reference_attention(query, key, value, mask=mask, scale=scale)


class TorchReference(TorchModel):
    attention = staticmethod(attention)

"""Replace the attention of encoders that do not look their attention function up by name.

The attention modules of BERT and models like it compute attention in their own forward pass under transformers 4, and
MPNet does so under 5 too. Each has a linear map for query, key and value. Here, a module's forward pass is replaced by
one that uses these maps, the mask that the module is given, and another attention.
"""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from export.attention import AttentionFunction, masked
from export.layout import Layer


@contextmanager
def replacing_inline(model: PreTrainedModel, layers: Sequence[Layer], attention: AttentionFunction) -> Iterator[None]:
    """Replace the attention of layers that compute it in their own forward pass, in the `with` block.

    layers: the model's layers; those without `maps` are left alone. The model must have transformers' eager attention.
    """
    with ExitStack() as stack:
        for layer in layers:
            if layer.maps:
                module = model.get_submodule(layer.maps[0].rpartition(".")[0])
                module.forward = _Forward(model, module, layer, attention)
                stack.callback(module.__delattr__, "forward")
        yield


class _Forward:
    """The forward pass of an attention module, with another attention."""

    def __init__(self, model: PreTrainedModel, module: nn.Module, layer: Layer, attention: AttentionFunction) -> None:
        inside = layer.maps[0].rpartition(".")[0] + "."
        self.maps = [model.get_submodule(path) for path in layer.maps]
        self.projection = model.get_submodule(layer.projection) if layer.projection.startswith(inside) else None
        self.heads = model.config.num_attention_heads
        self.signature = inspect.signature(type(module).forward)
        self.module, self.attention = module, attention

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Return what the module returns: its output and the probabilities."""
        given = self.signature.bind(self.module, *args, **kwargs).arguments
        state = next(value for value in given.values() if isinstance(value, Tensor))
        query, key, value = (linear(state).unflatten(-1, (self.heads, -1)).transpose(1, 2) for linear in self.maps)
        mask = _mask_of(given, query)
        context, probabilities = self.attention(query, key, value, mask, query.shape[-1] ** -0.5)
        joined = context.transpose(1, 2).flatten(2)
        return (joined if self.projection is None else self.projection(joined)), probabilities


def _mask_of(given: dict[str, Any], query: Tensor) -> Tensor:
    """Return the mask of an attention module's call: boolean, or numbers if there is a bias of positions.

    given: the call's arguments. A mask is (batch, keys), 1 at keys that may be seen, or holds numbers that are added to
    the scores, 0 at such keys. It may be None if all keys may be seen.
    """
    mask: Tensor | None = given["mask"] if "mask" in given else given.get("attention_mask")
    if mask is None:
        seen = query.new_ones((1, 1, 1, query.shape[2]), dtype=torch.bool)
    else:
        seen = mask.to(torch.bool)[:, None, None, :] if mask.ndim == 2 else mask == 0
    bias = given.get("position_bias")
    return seen if bias is None else masked(bias, seen).to(query.dtype)

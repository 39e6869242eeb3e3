"""The attention of exported graphs, and adapters between attention functions and transformers.

transformers looks up attention functions and their masks by name. It calls them with arguments of its own.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from export.errors import CannotRun

#: (query, key, value, mask, scale) -> (context, attention). Query and context are (batch, heads, sequence, head_dim);
#: key and value may have fewer heads (grouped queries). The mask is boolean, True where a query may attend to a key,
#: and broadcasts to the scores (batch, heads, query, key).
AttentionFunction = Callable[[Tensor, Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]]


def graph_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """The attention in exported graphs: scale the product, mask, softmax (Vaswani et al. 2017, eq. 1).

    Masked scores become the smallest finite number, as in transformers' eager attention, so that a padding query whose
    keys are all masked gives numbers instead of NaN. Shapes as in `AttentionFunction`.
    """
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    scores = (query @ key.transpose(-1, -2)) * scale
    attention = torch.softmax(torch.where(mask, scores, torch.finfo(scores.dtype).min), dim=-1)
    return attention @ value, attention


def scale_of(module: Any, query: Tensor, scaling: float | None) -> float:
    """Return the factor for the product of query and key: the model's own, or else the one of GPT-2's settings."""
    if scaling is not None:
        return scaling
    scale: float = query.shape[-1] ** -0.5 if getattr(module, "scale_attn_weights", True) else 1.0
    return scale / (module.layer_idx + 1) if getattr(module, "scale_attn_by_inverse_layer_idx", False) else scale


def own_attention(model: PreTrainedModel, name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return one of transformers' attention functions and its mask function.

    transformers' table of functions does not contain "eager"; each model's module defines its own function.
    """
    if name == "eager":
        attention = sys.modules[type(model).__module__].eager_attention_forward
    elif name in ALL_ATTENTION_FUNCTIONS:
        attention = ALL_ATTENTION_FUNCTIONS[name]
    else:
        raise CannotRun(f"transformers has no attention implementation {name!r}; known: eager, sdpa")
    return attention, ALL_MASK_ATTENTION_FUNCTIONS[name]


#: Arguments of transformers' attention functions that change the result and are not supported here.
_UNSUPPORTED = ("softcap", "s_aux", "position_bias", "head_mask")


def adapted(attention: AttentionFunction) -> Callable[..., Any]:
    """Wrap an `AttentionFunction` in a function with the signature that transformers calls."""

    def forward(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor,
        scaling: float | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        for name in _UNSUPPORTED:
            if kwargs.get(name) is not None:
                raise CannotRun(f"attention of {type(module).__name__} uses {name}, which is not supported here")
        context, probabilities = attention(query, key, value, attention_mask, scale_of(module, query, scaling))
        return context.transpose(1, 2), probabilities

    return forward


def boolean_mask(
    batch_size: int,
    kv_length: int,
    kv_offset: int = 0,
    mask_function: Callable[..., Tensor] | None = None,
    attention_mask: Tensor | None = None,
    cache_position: Tensor | None = None,
    q_length: int = 0,
    q_offset: int = 0,
    device: torch.device | str | None = None,
    **_: Any,
) -> Tensor:
    """Return the boolean mask (batch, 1, query, key), True where a query may attend to a key.

    transformers 4 passes the positions of the queries as `cache_position`; 5 passes `q_length`, `q_offset` and
    `device`.
    """
    assert mask_function is not None
    queries = cache_position if cache_position is not None else torch.arange(q_length, device=device) + q_offset
    keys = torch.arange(kv_length, device=queries.device) + kv_offset
    rows = torch.arange(batch_size, device=queries.device)
    seen = mask_function(rows[:, None, None, None], 0, queries[None, None, :, None], keys[None, None, None, :])
    return seen if attention_mask is None else seen & attention_mask[:, None, None, :].to(torch.bool)

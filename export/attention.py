"""The attention of exported graphs, and adapters between attention functions and transformers.

transformers looks up attention functions and their masks by name (`AttentionInterface`, `AttentionMaskInterface`), and
calls them with arguments of its own. The attention of some models does not use this interface and cannot be replaced.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from export.errors import CannotRun

#: The name under which `installed` registers an attention function.
_NAME = "onnx_attention_compare"


class AttentionFunction(Protocol):
    """An attention that can replace a model's own.

    Query and context are (batch, heads, sequence, head_dim); key and value may have fewer heads (grouped queries). The
    mask broadcasts to the scores (batch, heads, query, key). It is boolean, True where a query may attend to a key, or
    holds numbers that are added to the scores. scale: the factor of the scores. softcap: the bound to which a tanh
    limits the scores before the mask is applied; 0 for no bound. Returns the context and the attention.
    """

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float, softcap: float = 0.0, /
    ) -> tuple[Tensor, Tensor]: ...


def graph_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float, softcap: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The attention in exported graphs: scale the product, mask, softmax (Vaswani et al. 2017, eq. 1).

    Masked scores become the smallest finite number, as in transformers' eager attention, so that a padding query whose
    keys are all masked gives numbers instead of NaN. Shapes as in `AttentionFunction`.
    """
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    scores = (query @ key.transpose(-1, -2)) * scale
    attention = torch.softmax(masked(soft_capped(scores, softcap), mask), dim=-1)
    return attention @ value, attention


def soft_capped(scores: Tensor, softcap: float) -> Tensor:
    """Return the scores, kept within +-softcap by a tanh; 0 leaves them unchanged."""
    return torch.tanh(scores / softcap) * softcap if softcap else scores


def masked(scores: Tensor, mask: Tensor) -> Tensor:
    """Return the scores with a mask applied, which is boolean or holds numbers that are added."""
    if mask.dtype != torch.bool:
        return scores + mask
    return torch.where(mask, scores, torch.finfo(scores.dtype).min)


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


def uses_interface(model: PreTrainedModel) -> bool:
    """Return whether transformers lets the attention function of a model be chosen by name."""
    return bool(type(model)._can_set_attn_implementation()) and hasattr(
        sys.modules[type(model).__module__], "eager_attention_forward"
    )


@contextmanager
def installed(model: PreTrainedModel, function: Callable[..., Any], mask: Callable[..., Any]) -> Iterator[None]:
    """Install an attention function and its mask function, with transformers' signatures, in the `with` block.

    Not thread-safe, because transformers registers attention functions by name for all models.
    """
    before = model.config._attn_implementation
    AttentionInterface.register(_NAME, function)
    AttentionMaskInterface.register(_NAME, mask)
    model.set_attn_implementation(_NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


#: Arguments of transformers' attention functions that change the result and that `adapted` does not pass on.
UNSUPPORTED = ("position_bias", "head_mask")


def adapted(attention: AttentionFunction) -> Callable[..., Any]:
    """Wrap an `AttentionFunction` in a function with the signature that transformers calls."""

    def forward(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor,
        scaling: float | None = None,
        softcap: float | None = None,
        s_aux: Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        for name in UNSUPPORTED:
            if kwargs.get(name) is not None:
                raise CannotRun(f"attention of {type(module).__name__} uses {name}, which is not supported here")
        scale = scale_of(module, query, scaling)
        capped = () if softcap is None else (softcap,)
        if s_aux is None:
            context, probabilities = attention(query, key, value, attention_mask, scale, *capped)
        else:
            key, value, mask = _with_sink(query, key, value, attention_mask, s_aux)
            context, probabilities = attention(query, key, value, mask, scale, *capped)
            probabilities = probabilities[..., :-1]
        return context.transpose(1, 2), probabilities

    return forward


def _with_sink(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, sinks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return key, value and mask with one more key, whose scores are `sinks` (heads,) and whose value is zero.

    The attention of GPT-OSS can attend to nothing: its softmax has a further score for each head.
    """
    zero = key.new_zeros((1, 1, 1, 1))
    added = masked(torch.zeros((), dtype=query.dtype, device=query.device), mask)
    added = added.expand(query.shape[0], query.shape[1], query.shape[2], key.shape[2])
    column = sinks.to(query.dtype).reshape(1, -1, 1, 1).expand(*added.shape[:3], 1)
    key, value = (torch.cat([x, zero.expand(*x.shape[:2], 1, x.shape[-1])], dim=2) for x in (key, value))
    return key, value, torch.cat([added, column], dim=-1)


#: The largest difference between two attentions that agree, relative to the context. They are compared in float64, but
#: some models compute their softmax in float32.
AGREEMENT = 1e-5


def agree(
    own: Callable[..., Any], module: nn.Module, inputs: Sequence[Tensor], mask: Any, *args: Any, **kwargs: Any
) -> bool:
    """Return whether an adapted attention computes the same as a model's own, for the arguments of a call.

    inputs: query, key and value.
    """
    if mask is None or any(kwargs.get(name) is not None for name in UNSUPPORTED):
        return False
    wide = [tensor.double() for tensor in inputs]
    seen = mask if mask.dtype == torch.bool else mask.double()
    expected = own(module, *wide, added_mask(seen, wide[0]), *args, **kwargs)[0].double()
    found = adapted(graph_attention)(module, *wide, seen, *args, **kwargs)[0]
    return bool((found - expected).abs().max() <= AGREEMENT * expected.abs().max())


def added_mask(mask: Any, query: Tensor) -> Any:
    """Return a mask in the form of transformers' eager attention: numbers that are added to the scores, or None."""
    return mask if mask is None else masked(query.new_zeros(()), mask)


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

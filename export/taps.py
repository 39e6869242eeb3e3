"""Run a model and record its taps, with the same names for every architecture.

transformers looks attention functions up by name (`AttentionInterface`, `AttentionMaskInterface`). `tapped` registers
a function that also records the query, key, value, probabilities and context of each layer. Hooks on the inputs of the
norms record the residual stream. The attention can be the model's own, the exported one, or one of the caller's.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from export.errors import CannotRun
from export.positions import positions_of

#: (query, key, value, mask, scale) -> (context, attention). Query and context are (batch, heads, sequence, head_dim);
#: key and value may have fewer heads (grouped queries). The mask is boolean, True where a query may attend to a key,
#: and broadcasts to the scores (batch, heads, query, key).
AttentionFunction = Callable[[Tensor, Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]]

_NAME = "onnx_attention_compare"


@dataclass(frozen=True)
class Layout:
    """The modules of an architecture that are tapped.

    blocks, final_norm: attribute paths from the model. attention_norm, mlp_norm: attribute names in a block.
    """

    blocks: str
    attention_norm: str
    mlp_norm: str
    final_norm: str


_LLAMA = Layout("model.layers", "input_layernorm", "post_attention_layernorm", "model.norm")

#: `model_type` of a configuration -> layout. One line adds an architecture.
LAYOUTS = {
    "gpt2": Layout("transformer.h", "ln_1", "ln_2", "transformer.ln_f"),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
}


def layout_of(model: PreTrainedModel) -> Layout:
    """Return the layout of a transformers model. Raises `CannotRun` if the architecture is unknown."""
    model_type = model.config.model_type
    if model_type not in LAYOUTS:
        raise CannotRun(
            f"models of type {model_type!r} cannot be tapped; known types: {', '.join(LAYOUTS)}. "
            "To add one, add a line to LAYOUTS in export/taps.py"
        )
    return LAYOUTS[model_type]


def tap_names(layers: int, *, probabilities: bool = True) -> list[str]:
    """Return the names of all taps of a model with this number of layers, in the order in which they are computed.

    >>> print(*tap_names(1))
    hidden_state.0 query.0 key.0 value.0 attention.0 context.0 mid_state.0 hidden_state.1 logits
    """
    attention = ["attention"] if probabilities else []
    kinds = ["hidden_state", "query", "key", "value", *attention, "context", "mid_state"]
    return [f"{kind}.{i}" for i in range(layers) for kind in kinds] + [f"hidden_state.{layers}", "logits"]


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


@contextmanager
def tapped(
    model: PreTrainedModel, attention: str | AttentionFunction, *, given: Mapping[str, Tensor] | None = None
) -> Iterator[dict[str, Tensor]]:
    """Record the taps of every forward pass of `model` in the `with` block, in the dictionary that this yields.

    The dictionary does not include `logits`. It has no `attention.i` if the attention function returns no
    probabilities, as in "sdpa".

    attention: the name of one of transformers' implementations ("eager", "sdpa"), which computes exactly the
    same as without taps, or an `AttentionFunction` to use instead.
    given: tap name -> tensor that replaces the model's own tensor after that was recorded. The rest of the model,
    including the residual stream, uses the replacement, so each segment of the model can be run on chosen inputs.

    Not thread-safe, because transformers registers attention functions by name for all models.
    """
    layout = layout_of(model)
    taps: dict[str, Tensor] = {}
    given = given or {}
    function, mask = _own_attention(model, attention) if isinstance(attention, str) else (_adapted(attention), _mask)

    def record(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, *args: Any, **kwargs: Any) -> Any:
        i = module.layer_idx
        own = {f"query.{i}": query, f"key.{i}": key, f"value.{i}": value}
        taps.update(own)
        inputs = (given.get(name, tensor) for name, tensor in own.items())
        context, probabilities = function(module, *inputs, *args, **kwargs)
        if probabilities is not None:
            taps[f"attention.{i}"] = probabilities
        taps[f"context.{i}"] = context.transpose(1, 2)
        if f"context.{i}" in given:
            context = given[f"context.{i}"].transpose(1, 2)
        return context, probabilities

    with ExitStack() as stack:
        blocks = model.get_submodule(layout.blocks)
        for i, block in enumerate(blocks):
            for name, norm in (("hidden_state", layout.attention_norm), ("mid_state", layout.mlp_norm)):
                stack.enter_context(_input_tap(taps, given, f"{name}.{i}", block.get_submodule(norm)))
        final = model.get_submodule(layout.final_norm)
        stack.enter_context(_input_tap(taps, given, f"hidden_state.{len(blocks)}", final))
        before = model.config._attn_implementation
        AttentionInterface.register(_NAME, record)
        AttentionMaskInterface.register(_NAME, mask)
        model.set_attn_implementation(_NAME)
        stack.callback(model.set_attn_implementation, before)
        yield taps


def complete(taps: dict[str, Tensor], logits: Tensor, layers: int, *, probabilities: bool = True) -> dict[str, Tensor]:
    """Return the taps and the logits in the order of `tap_names`.

    Raises `CannotRun` if a tap is missing, for example because the attention function returned no probabilities.
    """
    taps = {**taps, "logits": logits}
    names = tap_names(layers, probabilities=probabilities)
    missing = [name for name in names if name not in taps]
    if missing:
        raise CannotRun(
            f"the model gave no {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}: its attention function "
            "returned None instead of probabilities. Use attn_implementation='eager'"
        )
    return {name: taps[name] for name in names}


def run_tapped(
    model: PreTrainedModel,
    input_ids: Tensor,
    attention_mask: Tensor,
    attention: str | AttentionFunction,
    *,
    probabilities: bool = True,
    given: Mapping[str, Tensor] | None = None,
    positions: Tensor | None = None,
) -> dict[str, Tensor]:
    """Run one forward pass and return all taps as name -> tensor, in the order of `tap_names`.

    input_ids, attention_mask: int64 (batch, sequence). attention, given: as in `tapped`.
    probabilities: whether the taps must include `attention.i`.
    positions: position ids, int64 (batch, sequence); by default `positions_of(attention_mask, sequence)`.
    """
    if positions is None:
        positions = positions_of(attention_mask, input_ids.shape[1])
    with torch.no_grad(), tapped(model, attention, given=given) as taps:
        logits = model(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=positions, use_cache=False
        ).logits
    return complete(taps, logits, model.config.num_hidden_layers, probabilities=probabilities)


def scale_of(module: Any, query: Tensor, scaling: float | None) -> float:
    """Return the factor for the product of query and key: the model's own, or else the one of GPT-2's settings."""
    if scaling is not None:
        return scaling
    scale: float = query.shape[-1] ** -0.5 if getattr(module, "scale_attn_weights", True) else 1.0
    return scale / (module.layer_idx + 1) if getattr(module, "scale_attn_by_inverse_layer_idx", False) else scale


def _input_tap(taps: dict[str, Tensor], given: Mapping[str, Tensor], name: str, module: nn.Module) -> Any:
    def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        taps[name] = inputs[0]
        if name in given:
            taps[name] = inputs[0].clone()
            inputs[0].copy_(given[name])  # in place: the residual connection holds the same tensor

    return module.register_forward_pre_hook(hook)


def _own_attention(model: PreTrainedModel, name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
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


def _adapted(attention: AttentionFunction) -> Callable[..., Any]:
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


def _mask(
    batch_size: int,
    kv_length: int,
    kv_offset: int = 0,
    mask_function: Callable[..., Tensor] | None = None,
    attention_mask: Tensor | None = None,
    cache_position: Tensor | None = None,
    q_length: int = 0,
    q_offset: int = 0,
    **_: Any,
) -> Tensor:
    """Return the boolean mask (batch, 1, query, key), True where a query may attend to a key.

    transformers 4 passes the positions of the queries as `cache_position`; 5 passes `q_length` and `q_offset`.
    """
    assert mask_function is not None
    queries = cache_position if cache_position is not None else torch.arange(q_length) + q_offset
    keys = torch.arange(kv_length, device=queries.device) + kv_offset
    rows = torch.arange(batch_size, device=queries.device)
    seen = mask_function(rows[:, None, None, None], 0, queries[None, None, :, None], keys[None, None, None, :])
    return seen if attention_mask is None else seen & attention_mask[:, None, None, :].to(torch.bool)

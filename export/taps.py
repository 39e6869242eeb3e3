"""Run a model and record its taps, with the same names for every architecture.

transformers looks attention functions up by name (`AttentionInterface`, `AttentionMaskInterface`). `tapped` registers
a function that also records the query, key, value, probabilities and context of each layer. Hooks on the inputs of the
norms record the residual stream. The attention can be the model's own, the exported one, or one of the caller's.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface

from export.attention import AttentionFunction, adapted, boolean_mask, own_attention
from export.errors import CannotRun
from export.positions import positions_of

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
    function, mask = (
        own_attention(model, attention) if isinstance(attention, str) else (adapted(attention), boolean_mask)
    )

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


def _input_tap(taps: dict[str, Tensor], given: Mapping[str, Tensor], name: str, module: nn.Module) -> Any:
    def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        taps[name] = inputs[0]
        if name in given:
            taps[name] = inputs[0].clone()
            inputs[0].copy_(given[name])  # in place: the residual connection holds the same tensor

    return module.register_forward_pre_hook(hook)

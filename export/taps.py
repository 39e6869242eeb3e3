"""Run a model and record its taps, with the same names for every architecture.

`export.layout` says which tensors can be tapped. transformers' attention interface shows the query, key, value,
probabilities and context of each layer; hooks on modules record the rest. The attention can be the model's own, the
exported one, or one of the caller's.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from export.arguments import forward_arguments
from export.attention import AttentionFunction, adapted, boolean_mask, installed, own_attention
from export.errors import CannotRun
from export.hooks import Change, on_input, on_output
from export.inline_attention import replacing_inline
from export.layout import Layout
from export.probe import layout_of


def tap_names(layers: int, *, probabilities: bool = True) -> list[str]:
    """Return the names of all taps of a model with this number of layers, in the order in which they are computed.

    A model may lack some of them (`export.layout.Layout.names`).

    >>> print(*tap_names(1))
    hidden_state.0 query.0 key.0 value.0 attention.0 context.0 mid_state.0 hidden_state.1 logits
    """
    attention = ["attention"] if probabilities else []
    kinds = ["hidden_state", "query", "key", "value", *attention, "context", "mid_state"]
    return [f"{kind}.{i}" for i in range(layers) for kind in kinds] + [f"hidden_state.{layers}", "logits"]


def tapped(
    model: PreTrainedModel,
    input_ids: Tensor,
    attention_mask: Tensor,
    attention: str | AttentionFunction,
    *,
    probabilities: bool = True,
    given: Mapping[str, Tensor] | None = None,
    positions: Tensor | None = None,
    token_types: Tensor | None = None,
    layout: Layout | None = None,
) -> dict[str, Tensor]:
    """Run one forward pass and return all taps as name -> tensor, in the order of `Layout.names`.

    input_ids, attention_mask: int64 (batch, sequence).
    attention: the name of one of transformers' implementations ("eager", "sdpa"), which computes exactly the same as
    without taps, or an `AttentionFunction` to use instead. In a model whose attention cannot be replaced
    (`Layout.replaceable`), the function is not used, but the implementation of the loaded model.
    probabilities: whether the taps must include `attention.i`. They never do if the attention is fused and the model
    does not call transformers' interface.
    given: tap name -> tensor that replaces the model's own tensor after that was recorded. The rest of the model,
    including the residual stream, uses the replacement, so each segment of the model can be run on chosen inputs.
    positions: position ids, int64 (batch, sequence); by default `positions_of(attention_mask, sequence)`.
    token_types: the type of each token, int64 (batch, sequence); by default 0.
    layout: which taps to record; all of the model's by default.

    Raises `CannotRun` if a tap is missing, for example because the attention function returned no probabilities.
    """
    layout = layout or layout_of(model)
    recorder = _Recorder(layout, getattr(model.config.get_text_config(), "num_attention_heads", 0), given or {})
    arguments = forward_arguments(model, input_ids, attention_mask, positions=positions, use_cache=False)
    if layout.returned and isinstance(attention, str) and attention != "eager":
        probabilities = False  # such a model computes them only in its eager attention
    if token_types is not None:
        arguments["token_type_ids"] = token_types
    if layout.returned and probabilities:
        arguments["output_attentions"] = True
    with recorder.hooked(model), recorder.attending(model, attention):
        output = model(**arguments)
    taps = recorder.taps | {layout.output: output[layout.output]}
    if layout.returned and probabilities:
        taps |= {f"attention.{i}": tensor for i, tensor in enumerate(output.attentions)}
    return complete(taps, layout.names(probabilities=probabilities))


#: `tapped` without gradients.
run_tapped = torch.no_grad()(tapped)


def replacing(model: PreTrainedModel, attention: AttentionFunction) -> AbstractContextManager[None]:
    """Return a context in which a model has another attention, in every forward pass."""
    layers = layout_of(model).layers
    if any(layer.maps for layer in layers):
        return replacing_inline(model, layers, attention)
    return installed(model, adapted(attention), boolean_mask)


def complete(taps: Mapping[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """Return the named taps, in the order of the names.

    Raises `CannotRun` if one is missing, for example because the attention function returned no probabilities.
    """
    missing = [name for name in names if name not in taps]
    if missing:
        raise CannotRun(
            f"the model gave no {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}: its attention function "
            "returned None instead of probabilities. Use attn_implementation='eager'"
        )
    return {name: taps[name] for name in names}


class _Recorder:
    """The taps of one pass, and the tensors that replace them."""

    def __init__(self, layout: Layout, heads: int, given: Mapping[str, Tensor]) -> None:
        self.layout = layout
        self.heads = heads
        self.given = given
        self.taps: dict[str, Tensor] = {}
        self.layer = 0

    @contextmanager
    def hooked(self, model: PreTrainedModel) -> Iterator[None]:
        """Record hidden and mid states, and the tensors of attention that does not call transformers' interface."""
        with ExitStack() as hooks:
            for i, layer in enumerate(self.layout.layers):
                changes = {layer.block: self._entered(i)}
                if layer.middle:
                    changes[layer.middle] = self._overwritten(f"mid_state.{i}")
                if layer.projection:
                    changes[layer.projection] = self._split(f"context.{i}")
                for path, change in changes.items():
                    hooks.enter_context(on_input(model.get_submodule(path), change))
                for kind, path in zip(("query", "key", "value"), layer.maps, strict=False):
                    hooks.enter_context(on_output(model.get_submodule(path), self._split(f"{kind}.{i}")))
            if self.layout.layers and not self.layout.ends:
                last = model.get_submodule(self.layout.layers[-1].block)
                hooks.enter_context(on_output(last, self._replaced(f"hidden_state.{len(self.layout.layers)}")))
            yield

    @contextmanager
    def attending(self, model: PreTrainedModel, attention: str | AttentionFunction) -> Iterator[None]:
        """Install an attention that also records its tensors, in models that call the attention interface."""
        if any(layer.maps for layer in self.layout.layers):
            with nullcontext() if isinstance(attention, str) else replacing(model, attention):
                yield
            return
        if not (self.layout.replaceable or any(layer.attends for layer in self.layout.layers)):
            yield
            return
        if not isinstance(attention, str) and not self.layout.replaceable:
            attention = "eager"
        if isinstance(attention, str):
            function, mask = own_attention(model, attention)
        else:
            function, mask = adapted(attention), boolean_mask
        with installed(model, partial(self._attend, function), mask):
            yield

    def _attend(self, function: Any, module: nn.Module, *tensors: Any, **kwargs: Any) -> Any:
        i, (query, key, value, *rest) = self.layer, tensors
        if not any(layer.attends for layer in self.layout.layers[i : i + 1]):
            return function(module, *tensors, **kwargs)
        own = {f"query.{i}": query, f"key.{i}": key, f"value.{i}": value}
        self.taps.update(own)
        inputs = (self.given.get(name, tensor) for name, tensor in own.items())
        context, probabilities = function(module, *inputs, *rest, **kwargs)
        if probabilities is not None:
            self.taps[f"attention.{i}"] = probabilities
        self.taps[f"context.{i}"] = context.transpose(1, 2)
        if f"context.{i}" in self.given:
            context = self.given[f"context.{i}"].transpose(1, 2)
        return context, probabilities

    def _entered(self, i: int) -> Change:
        replaced = self._replaced(f"hidden_state.{i}")

        def change(state: Tensor) -> Tensor | None:
            self.layer = i
            return replaced(state)

        return change

    def _replaced(self, name: str) -> Change:
        def change(state: Tensor) -> Tensor | None:
            self.taps[name] = state
            return self.given.get(name)

        return change

    def _overwritten(self, name: str) -> Change:
        """Replace in place, because the residual connection holds the same tensor, which may have flat positions."""

        def change(state: Tensor) -> None:
            shape = self.taps[f"hidden_state.{self.layer}"].shape
            if name in self.given:
                self.taps[name] = state.clone().reshape(shape)
                state.copy_(self.given[name].reshape(state.shape))
            else:
                self.taps[name] = state.reshape(shape)

        return change

    def _split(self, name: str) -> Change:
        """Record the heads of a tensor in which they are joined."""

        def change(joined: Tensor) -> Tensor | None:
            self.taps[name] = joined.reshape(*joined.shape[:-1], self.heads, -1).transpose(1, 2)
            return self.given[name].transpose(1, 2).flatten(2) if name in self.given else None

        return change

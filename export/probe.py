"""Find the taps of a model by running it on a few tokens.

Modules have other names in every architecture, so a tap is found by what it does: the rest of the model reads whatever
was computed before only through this tensor and earlier taps. Then the rest can be replayed from it. This is tried:
the tensor is held at random numbers while the computation before it changes, and the result must not change in a bit.
A tensor that fails is not tapped.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from export.arguments import declared, forward_arguments
from export.attention import (
    AGREEMENT,
    added_mask,
    agree,
    boolean_mask,
    graph_attention,
    installed,
    own_attention,
    uses_interface,
)
from export.errors import CannotRun, ComparisonError, cause
from export.hooks import Change, first_input, on_call, on_input, on_output, with_input
from export.inline_attention import replacing_inline
from export.kinds import LOGITS, output_of
from export.layout import Layer, Layout

_LAYOUTS: WeakKeyDictionary[PreTrainedModel, Layout] = WeakKeyDictionary()


def layout_of(model: PreTrainedModel) -> Layout:
    """Return the layout of a transformers model. It is found by a few short passes, once for each loaded model.

    Raises `CannotRun` if the model cannot run on four token ids and a mask alone.
    """
    if model not in _LAYOUTS:
        try:
            _LAYOUTS[model] = _Probe(model).layout()
        except ComparisonError:
            raise
        except Exception as error:  # code of any architecture may raise anything
            what = f"models of type {model.config.model_type!r}"
            raise CannotRun(f"{what} of these sizes cannot run on four tokens: {cause(error)}") from error
    return _LAYOUTS[model]


@dataclass
class _Call:
    """The call of a layer in one pass.

    args, kwargs: its arguments. attentions: how often it called the attention interface. called: the paths of its inner
    modules, in the order of their calls. later: those that were called after attention.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    attentions: int = 0
    called: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)


class _Probe:
    """A model that is run to find its layout. Nothing in the model is changed."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.modules = dict(model.named_modules())
        self.interface = uses_interface(model)
        self.output = output_of(model.config)
        self.agrees = True
        self.current: _Call | None = None
        self.usual = ""

    def layout(self) -> Layout:
        """Return the model's layout."""
        with torch.no_grad():
            blocks = self._blocks()
            if not blocks or not self._separate(blocks):
                return Layout(output=self.output)
            with self._interface():
                calls, returned = self._calls(blocks)
                layers = tuple(self._layer(block, call) for block, call in zip(blocks, calls, strict=True))
            ends = self.output != LOGITS and self._ends(blocks[-1])
        attends = any(layer.attends for layer in layers)
        return Layout(
            layers,
            replaceable=(attends and self.agrees) or all(layer.maps for layer in layers),
            returned=returned and not attends,
            output=self.output,
            ends=ends,
        )

    def _run(self, first: int = 1, **options: Any) -> Any:
        """Run the model on four tokens, of which `first` is the first."""
        ids = torch.arange(first, first + 4, device=self.model.device)[None]
        return self.model(**forward_arguments(self.model, ids, torch.ones_like(ids), use_cache=False), **options)

    def _blocks(self) -> list[str]:
        """Return the paths of the layers: of the largest list of modules that ran once each, in order."""
        lists = [
            [f"{name}.{i}" for i in range(len(module))]
            for name, module in self.modules.items()
            if isinstance(module, nn.ModuleList) and len(module)
        ]
        ran: list[str] = []
        with ExitStack() as hooks:
            for name in {name for names in lists for name in names}:
                hooks.enter_context(on_call(self.modules[name], partial(ran.append, name)))
            self._run()
        whole = [names for names in lists if [name for name in ran if name in set(names)] == names]
        return max(
            whole, key=lambda names: sum(p.numel() for n in names for p in self.modules[n].parameters()), default=[]
        )

    def _separate(self, blocks: list[str]) -> bool:
        """Return whether each layer, and what follows the last one, read the tokens only through their input."""

        def outputs(first: int) -> list[Tensor]:
            found: list[Tensor] = []
            with ExitStack() as hooks:
                for number, name in enumerate(blocks):
                    hooks.enter_context(on_input(self.modules[name], _held(number)))
                    hooks.enter_context(on_output(self.modules[name], found.append))
                hooks.enter_context(on_output(self.modules[blocks[-1]], _held(len(blocks))))
                found.append(self._run(first)[0])
            return found

        return all(map(_same, outputs(1), outputs(2)))

    def _ends(self, last: str) -> bool:
        """Return whether the output of the last layer is the model's output."""
        found: list[Tensor] = []
        with on_output(self.modules[last], found.append):
            return _same(self._run()[self.output], found[0])

    @contextmanager
    def _interface(self) -> Iterator[None]:
        """Count the calls of the attention interface, and compare the reference attention with the model's own."""
        if not self.interface:
            yield
            return
        own, _ = own_attention(self.model, "eager")

        def record(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Any, *a: Any, **k: Any) -> Any:
            if self.current is not None:
                self.current.attentions += 1
                self.current.later.clear()
                self.agrees = self.agrees and agree(own, module, (query, key, value), mask, *a, **k)
            return own(module, query, key, value, added_mask(mask, query), *a, **k)

        with installed(self.model, record, boolean_mask):
            yield

    def _calls(self, blocks: list[str]) -> tuple[list[_Call], bool]:
        """Run one pass. Return each layer's call, and whether transformers returned the attention of all layers."""
        calls: list[_Call] = []

        def entered(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self.current = _Call(args, kwargs)
            calls.append(self.current)

        def called(name: str) -> None:
            if self.current is not None:
                self.current.called.append(name)
                self.current.later.append(name)

        def left(name: str) -> None:
            if self.current is not None and not self.interface and name == self._attention(self.current):
                self.current.later.clear()

        with ExitStack() as hooks:
            for block in blocks:
                hooks.enter_context(self.modules[block].register_forward_pre_hook(entered, with_kwargs=True))
                for name in (name for name in self.modules if name.startswith(f"{block}.")):
                    hooks.enter_context(on_call(self.modules[name], partial(called, name)))
                    hooks.enter_context(self.modules[name].register_forward_hook(lambda *_, name=name: left(name)))
            asks = not self.interface and not {"output_attentions", "kwargs"}.isdisjoint(declared(type(self.model)))
            result = self._run(**({"output_attentions": True} if asks else {}))
        self.current = None
        found = getattr(result, "attentions", None) or ()
        return calls, len(found) == len(blocks) and all(isinstance(x, Tensor) and x.ndim == 4 for x in found)

    def _attention(self, call: _Call) -> str:
        """Return the path of the first attention module that a layer called, judged by its class; empty if none."""
        return next((name for name in call.called if "attention" in type(self.modules[name]).__name__.lower()), "")

    def _layer(self, block: str, call: _Call) -> Layer:
        attention = self._attention(call)
        layer = Layer(
            block,
            attends=call.attentions == 1,
            projection=self._projection(block, call, attention) if attention and not call.attentions else "",
            middle=self._middle(block, call) if attention or call.attentions else "",
            maps=self._linear_maps(call, attention)[:3],
        )
        return layer if self._computable(layer, call) else replace(layer, maps=())

    def _projection(self, block: str, call: _Call, attention: str) -> str:
        """Return the last linear map in an attention module, if the others are read only through it; else "".

        Its input is the context: (batch, sequence, heads x head_dim).
        """
        maps = self._linear_maps(call, attention)
        heads = getattr(self.model.config.get_text_config(), "num_attention_heads", 0)
        if len(maps) < 2 or not heads:
            return ""
        fits: list[bool] = []

        def hold(context: Tensor) -> Tensor:
            fits.append(context.ndim == 3 and context.shape[-1] % heads == 0)
            return _noise(context, 2)

        def output(seed: int) -> Tensor:
            with ExitStack() as hooks:
                for name in maps[:-1]:
                    hooks.enter_context(on_output(self.modules[name], lambda x: x + _noise(x, seed)))
                hooks.enter_context(on_input(self.modules[maps[-1]], hold))
                return self._output(block, call, 3)

        return maps[-1] if _same(output(0), output(1)) and fits == [True, True] else ""

    def _linear_maps(self, call: _Call, attention: str) -> tuple[str, ...]:
        """Return the linear maps that a layer called in its attention module, in order."""
        inside = (name for name in call.called if name.startswith(f"{attention}."))
        return tuple(name for name in inside if isinstance(self.modules[name], nn.Linear | Conv1D))

    def _computable(self, layer: Layer, call: _Call) -> bool:
        """Return whether the attention of an encoder's layer can be computed from the first three linear maps."""
        if self.output == LOGITS or not layer.projection or len(layer.maps) != 3:
            return False
        own = self._output(layer.block, call, 4)
        with replacing_inline(self.model, [layer], graph_attention):
            found = self._output(layer.block, call, 4)
        return bool((found - own).abs().max() <= AGREEMENT * own.abs().max())

    def _middle(self, block: str, call: _Call) -> str:
        """Return the first module after attention through whose input alone a layer reads its input; "" if none.

        The input is overwritten in place, because the residual connection goes on from the same tensor.
        """
        size = first_input(call.args, call.kwargs).numel()
        written: list[bool] = []

        def hold(state: Tensor) -> None:
            if state.numel() == size and state.is_floating_point() and not written:
                state.copy_(_noise(state, 2))
                written.append(True)

        def output(name: str, seed: int) -> Tensor:
            written.clear()
            with on_input(self.modules[name], hold):
                return self._output(block, call, seed)

        for name in sorted(dict.fromkeys(call.later), key=lambda name: name.removeprefix(block) != self.usual):
            first, other = output(name, 0), output(name, 1)
            if written and _same(first, other):
                self.usual = name.removeprefix(block)
                return name
        return ""

    def _output(self, block: str, call: _Call, seed: int) -> Tensor:
        """Return the output of a layer for a random input."""
        hidden = _noise(first_input(call.args, call.kwargs), seed)
        args, kwargs = with_input(call.args, call.kwargs, hidden)
        output = self.modules[block](*args, **kwargs)
        outputs = output if isinstance(output, tuple) else (output,)
        found: Tensor = next(x for x in outputs if isinstance(x, Tensor) and x.shape == hidden.shape)
        return found


def _same(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors are equal in every bit; NaN equals NaN, because a model in fp16 may overflow."""
    return torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)


def _noise(like: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(like.shape, generator=generator).to(like)


def _held(seed: int) -> Change:
    return lambda tensor: _noise(tensor, seed)

"""Controls in lower precisions: runs of the model that differ from golden by what a precision alone does.

Each precision has several controls, because runtimes round in different places: bf16 and fp16 in different orders of
summation and forms of attention, 8 and 4 bits with scales for a tensor, a channel, a row or a block. Attention is not
quantized, as in the quantized runtimes of this project (docs/verdicts.md, Lower precisions).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from compare.numerics.controls import CONTROLS, control_runs
from compare.results.precisions import OWN_CONTROLS
from export.attention import graph_attention
from export.experts import plain_experts
from export.models import read_weights
from export.taps import run_tapped

#: Precision -> the name of its type in torch.
_TYPES = {"bf16": "bfloat16", "fp16": "float16"}

#: Left out in bf16 and fp16, where a long sum of single terms, or a difference of squares, loses most of its digits.
_WITHOUT = ("sequential sums, bias first", "contractions split, one-pass variance, fused GELU")

#: The number of weights in a block that has a scale of its own.
_BLOCK = 32


def _same(x: Tensor) -> Tensor:
    return x


@dataclass(frozen=True)
class Quantization:
    """The way in which one control quantizes linear maps.

    weight: quantizes a weight, (in, out). rows: quantizes activations, (..., in). head: whether the head is quantized
    too. embedding: quantizes the tables of tokens and positions.
    """

    name: str
    weight: Callable[[Tensor], Tensor]
    rows: Callable[[Tensor], Tensor] = _same
    head: bool = True
    embedding: Callable[[Tensor], Tensor] = _same


def low_runs(
    folder: Path, precision: str, input_ids: Tensor, attention_mask: Tensor
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Run the controls of a precision, one at a time, and yield the name and the float32 tensors of each.

    folder: the model's folder. precision: one of `compare.results.precisions.OWN_CONTROLS`. input_ids, attention_mask:
    (batch, sequence).
    """
    if precision in _TYPES:
        model = plain_experts(read_weights(folder, dtype=_TYPES[precision]))
        controls = [control for control in CONTROLS if control.name not in _WITHOUT]
        for name, run in control_runs(model, input_ids, attention_mask, controls):
            yield name, {tensor: values.float() for tensor, values in run.items()}
        return
    model = plain_experts(read_weights(folder))
    for quantization in QUANTIZATIONS[precision]:
        with _Quantized(model, quantization):
            run = run_tapped(model, input_ids, attention_mask, graph_attention)
        yield quantization.name, run


def symmetric(x: Tensor, bits: int, dims: tuple[int, ...] | int | None) -> Tensor:
    """Round to multiples of a scale, which is the largest value over `dims`, divided by the largest integer.

    dims: the dimensions that share a scale, None for all.

    >>> symmetric(torch.tensor([1.0, 0.4, -0.1]), 3, None)
    tensor([1.0000, 0.3333, -0.0000])
    """
    most = 2 ** (bits - 1) - 1
    largest = x.abs().max() if dims is None else x.abs().amax(dims, keepdim=True)
    scale = largest.clamp_min(torch.finfo(x.dtype).tiny) / most
    rounded: Tensor = torch.round(x / scale) * scale
    return rounded


def asymmetric(x: Tensor, bits: int, dims: tuple[int, ...] | int | None) -> Tensor:
    """Round to 2**bits steps between the smallest and the largest value over `dims`; 0 is one of them.

    >>> asymmetric(torch.tensor([0.0, 1.0, 2.9]), 2, None)
    tensor([0.0000, 0.9667, 2.9000])
    """
    low = (x.min() if dims is None else x.amin(dims, keepdim=True)).clamp_max(0.0)
    high = (x.max() if dims is None else x.amax(dims, keepdim=True)).clamp_min(0.0)
    scale = (high - low).clamp_min(torch.finfo(x.dtype).tiny) / (2**bits - 1)
    zero = torch.round(-low / scale)
    rounded: Tensor = ((torch.round(x / scale) + zero).clamp(0, 2**bits - 1) - zero) * scale
    return rounded


def lopsided(x: Tensor, bits: int, dim: int) -> Tensor:
    """Round so that the value of largest magnitude along `dim` becomes the lowest integer, as in ONNX Runtime.

    >>> lopsided(torch.tensor([1.0, 0.4, -0.9]), 2, 0)
    tensor([ 1.0000,  0.5000, -0.5000])
    """
    lowest = -(2 ** (bits - 1))
    largest = x.gather(dim, x.abs().argmax(dim, keepdim=True))
    scale = torch.where(largest == 0, 1.0, largest) / lowest
    rounded: Tensor = torch.round(x / scale).clamp(lowest, -lowest - 1) * scale
    return rounded


def blockwise(quantize: Callable[[Tensor, int, Any], Tensor], weight: Tensor) -> Tensor:
    """Quantize a weight, (in, out), to 4 bits in blocks along its inputs."""
    size, outputs = weight.shape
    padded = functional.pad(weight, (0, 0, 0, -size % _BLOCK))
    return quantize(padded.view(-1, _BLOCK, outputs), 4, 1).reshape(-1, outputs)[:size]


QUANTIZATIONS = {
    "int8": (
        Quantization(
            "a scale for a tensor",
            weight=lambda w: symmetric(w, 8, None),
            rows=lambda x: asymmetric(x, 8, None),
            head=False,
            embedding=lambda e: asymmetric(e, 8, None),
        ),
        Quantization(
            "a scale for a channel",
            weight=lambda w: symmetric(w, 8, 0),
            rows=lambda x: asymmetric(x, 8, None),
        ),
        Quantization(
            "a scale for a channel and a row",
            weight=lambda w: symmetric(w, 8, 0),
            rows=lambda x: symmetric(x, 8, -1),
            embedding=lambda e: symmetric(e, 8, -1),
        ),
        Quantization(
            "a scale for a tensor and a row",
            weight=lambda w: symmetric(w, 8, None),
            rows=lambda x: symmetric(x, 8, -1),
            embedding=lambda e: symmetric(e, 8, None),
        ),
    ),
    "int4": (
        Quantization("symmetric blocks", lambda w: blockwise(symmetric, w), head=False),
        Quantization("lopsided blocks", lambda w: blockwise(lopsided, w)),
        Quantization("asymmetric blocks", lambda w: blockwise(asymmetric, w)),
    ),
}

assert {*_TYPES, *QUANTIZATIONS} == set(OWN_CONTROLS)


class _Quantized(TorchFunctionMode):
    """A mode that quantizes linear maps and embeddings, and computes with the result in float32."""

    def __init__(self, model: Any, quantization: Quantization) -> None:
        super().__init__()
        self.quantization = quantization
        head = model.get_output_embeddings()
        self.head = None if head is None else head.weight  # an encoder has none

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func is functional.linear:
            return self._linear(*args, **given)
        if func is torch.addmm:
            bias, left, right = args
            return self._product(left, right) + bias
        if func is functional.embedding:
            return func(args[0], self.quantization.embedding(args[1]), *args[2:], **given)
        return func(*args, **given)

    def _linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if weight is self.head and not self.quantization.head:
            return functional.linear(x, weight, bias)
        product = self._product(x, weight.T)
        return product if bias is None else product + bias

    def _product(self, left: Tensor, right: Tensor) -> Tensor:
        return self.quantization.rows(left) @ self.quantization.weight(right)

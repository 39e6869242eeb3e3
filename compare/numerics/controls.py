"""Controls: float32 runs of the model that differ from golden by rounding alone.

Each control sums in an order of its own, and the spread of their errors shows what rounding does (docs/verdicts.md). A
control runs the real module: a `TorchFunctionMode` replaces linear maps, matrix products, softmax, norms and means, and
the taps replace the attention. So controls need no code of their own for an architecture.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from compare.attention.streaming import streaming_attention
from compare.numerics.summation_orders import (
    OrderedProducts,
    Product,
    Total,
    permutation,
    permuted_product,
    sequential_product,
    sequential_total,
    split_product,
)
from export.attention import AttentionFunction, graph_attention, masked, soft_capped
from export.taps import run_tapped


def _sum(x: Tensor) -> Tensor:
    return x.sum(-1, keepdim=True)


@dataclass(frozen=True)
class Control:
    """The way in which one control computes sums, norms and attention.

    bias_first: whether the sums of a linear map begin with its bias. one_pass: whether a norm's variance is the mean of
    the squares minus the square of the mean. fused_gelu: whether the tanh form of GELU is torch's fused function.
    """

    name: str
    attention: AttentionFunction = graph_attention
    product: Product = torch.matmul
    total: Total = _sum
    bias_first: bool = False
    one_pass: bool = False
    fused_gelu: bool = False


def control_runs(
    model: Any, input_ids: Tensor, attention_mask: Tensor, controls: Sequence[Control] | None = None
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Run the controls of a float32 model, one at a time, and yield the name and tensors of each.

    input_ids, attention_mask: (batch, sequence). controls: `CONTROLS` by default.
    """
    for control in CONTROLS if controls is None else controls:
        with _Ordered(control), _gelu(model, fused=control.fused_gelu):
            run = run_tapped(model, input_ids, attention_mask, control.attention)
        yield control.name, run  # outside the mode, so that the caller computes as usual


def root_scaled_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float, softcap: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Attention with query and key each multiplied by the root of the scale, as in ONNX's Attention operator."""
    root = scale**0.5
    return graph_attention(query * root, key * root, value, mask, 1.0, softcap)


def streamed_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float, softcap: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Attention with a streaming softmax over blocks of 16 keys (Dao et al. 2022).

    The probabilities are computed separately, as exp(scores - logsumexp(scores)).
    """
    groups = query.shape[1] // key.shape[1]
    scores = (query @ key.repeat_interleave(groups, dim=1).transpose(-1, -2)) * scale
    scores = masked(soft_capped(scores, softcap), mask)
    attention = torch.exp(scores - torch.logsumexp(scores, dim=-1, keepdim=True))
    return streaming_attention(query, key, value, mask=mask, scale=scale, softcap=softcap, block=16), attention


def permuted_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float, softcap: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Attention with keys and values permuted, so that its sums over keys run in another order."""
    order = permutation(key.shape[2], 0)
    mask = mask.expand(*mask.shape[:-1], len(order))
    context, attention = graph_attention(query, key[:, :, order], value[:, :, order], mask[..., order], scale, softcap)
    return context, attention[..., torch.argsort(order)]


CONTROLS = (
    Control("plain"),
    Control("root of the scale", attention=root_scaled_attention),
    Control("streaming softmax", attention=streamed_attention),
    Control("keys permuted", attention=permuted_attention),
    Control("contractions permuted, seed 0", product=permuted_product(0)),
    Control("contractions permuted, seed 1", product=permuted_product(1)),
    Control(
        "contractions split, one-pass variance, fused GELU", product=split_product(4), one_pass=True, fused_gelu=True
    ),
    Control("sequential sums, bias first", product=sequential_product, total=sequential_total, bias_first=True),
)


class _Ordered(OrderedProducts):
    """A mode that replaces torch's products, softmax, norms and means with those of a control."""

    def __init__(self, control: Control) -> None:
        super().__init__(control.product)
        self.control = control
        if control.product is not torch.matmul:
            self.replacements |= {functional.linear: self._linear, torch.addmm: self._addmm}
        if control.total is not _sum or control.one_pass:
            self.replacements |= dict.fromkeys((functional.softmax, torch.softmax), self._softmax)
            self.replacements |= {functional.layer_norm: self._layer_norm, torch.Tensor.mean: self._mean}

    def _linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return self.control.product(x, weight.T) if bias is None else self._addmm(bias, x, weight.T)

    def _addmm(self, bias: Tensor, left: Tensor, right: Tensor) -> Tensor:
        if self.control.bias_first:
            return self.control.product(functional.pad(left, (1, 0), value=1.0), torch.cat([bias[None], right]))
        return self.control.product(left, right) + bias

    def _softmax(self, x: Tensor, dim: int = -1, **_: Any) -> Tensor:
        assert dim in (-1, x.ndim - 1), f"softmax over dimension {dim} of {x.ndim}"
        weights = torch.exp(x - x.amax(-1, keepdim=True))
        return weights / self.control.total(weights)

    def _layer_norm(
        self, x: Tensor, _: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
    ) -> Tensor:
        mean = self.control.total(x) / x.shape[-1]
        if self.control.one_pass:
            variance = self.control.total(x * x) / x.shape[-1] - mean * mean
        else:
            variance = self.control.total((x - mean) ** 2) / x.shape[-1]
        normal = (x - mean) * torch.rsqrt(variance + eps)
        scaled = normal if weight is None else normal * weight
        return scaled if bias is None else scaled + bias

    def _mean(self, x: Tensor, dim: Any = None, keepdim: bool = False, **kwargs: Any) -> Tensor:
        if dim not in (-1, [-1], (-1,)) or not x.is_floating_point():
            return torch.Tensor.mean(x, dim, keepdim, **kwargs) if dim is not None else torch.Tensor.mean(x, **kwargs)
        mean = self.control.total(x) / x.shape[-1]
        return mean if keepdim else mean.squeeze(-1)


@contextmanager
def _gelu(model: Any, *, fused: bool) -> Iterator[None]:
    """A context in which, if `fused`, modules that compute GELU's tanh form step by step use torch's fused function."""
    spelled_out = [m for m in model.modules() if type(m).__name__ == "NewGELUActivation"] if fused else []
    for module in spelled_out:
        module.forward = lambda x: functional.gelu(x, approximate="tanh")
    try:
        yield
    finally:
        for module in spelled_out:
            del module.forward

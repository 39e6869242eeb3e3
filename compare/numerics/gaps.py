"""Gaps: how far the tensors of one run lie from golden's, tensor by tensor, memory-mapped, one at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[Any]


@dataclass(frozen=True)
class Gap:
    """How far one tensor lies from golden's, in the tensor's own units.

    max, rms, p999: the largest, root mean square and 99.9th percentile of |actual - golden|. size: golden's root mean
    square, which makes gaps of different tensors comparable. Attention counts on and below the causal diagonal only;
    what stands above it is `above_diagonal`, which is to be exactly 0. NaN where the run gave a NaN.
    """

    tensor: str
    max: float
    rms: float
    p999: float
    size: float
    above_diagonal: float | None = None

    @property
    def kind(self) -> str:
        """The tensor's name without its layer.

        >>> Gap("hidden_state.3", 0, 0, 0, 1).kind
        'hidden_state'
        """
        return self.tensor.partition(".")[0]

    @property
    def layer(self) -> int | None:
        number = self.tensor.partition(".")[2]
        return int(number) if number else None


class WrongShape(Exception):
    """A run gave a tensor of another shape than golden's."""


def gaps(actual: Mapping[str, Tensor], golden: Mapping[str, Tensor], attention_mask: Tensor) -> Iterator[Gap]:
    """The gaps of all tensors of golden that the run exposes, in golden's order.

    attention_mask: (batch, sequence), 0 at padding, whose positions are left out as queries. Raises `WrongShape`.
    """
    for name, reference in golden.items():
        if name in actual:
            yield gap(name, actual[name], reference, attention_mask)


def gap(name: str, actual: Tensor, golden: Tensor, attention_mask: Tensor) -> Gap:
    """The gap of one tensor, named as in `export.taps.tap_names`.

    >>> gap("logits", np.array([[[1.0, 2.5]]]), np.array([[[1.0, 2.0]]]), np.array([[1]])).max
    0.5
    """
    if actual.shape != golden.shape:
        raise WrongShape(f"{name} has shape {actual.shape}, golden has {golden.shape}")
    found, truth = query_rows(name, actual, attention_mask), query_rows(name, golden, attention_mask)
    above = None
    if name.startswith("attention."):
        seen = query_rows(name, seen_keys(golden.shape), attention_mask)
        above = float(np.abs(found[~seen]).max(initial=0.0))
        found, truth = found[seen], truth[seen]
    difference = np.abs(np.subtract(found, truth, dtype=np.float64)).ravel()
    return Gap(
        tensor=name,
        max=float(difference.max(initial=0.0)),
        rms=rms(difference),
        p999=_quantile(difference, 0.999),
        size=rms(truth),
        above_diagonal=above,
    )


def query_rows(name: str, tensor: Tensor, attention_mask: Tensor) -> Tensor:
    """The rows of a tensor that belong to real positions: (rows, ...); padding is left out.

    (batch, sequence, ...) gives (rows, ...), (batch, heads, sequence, ...) gives (rows, heads, ...).
    """
    by_head = name.partition(".")[0] in ("query", "key", "value", "attention", "context")
    rows: Tensor = np.moveaxis(tensor, 2, 1) if by_head else tensor
    if attention_mask.all():
        return rows.reshape(-1, *rows.shape[2:])
    kept: Tensor = rows[attention_mask.astype(bool)]
    return kept


def rms(values: Tensor) -> float:
    """The root mean square of all values, summed in float64."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def seen_keys(shape: tuple[int, ...]) -> Tensor:
    """True on and below the causal diagonal of attention (batch, heads, query, key)."""
    return np.broadcast_to(np.tri(shape[-2], shape[-1], shape[-1] - shape[-2], dtype=bool), shape)


def _quantile(values: Tensor, share: float) -> float:
    """The value that this share of all lies at or below: the nearest rank, by selection, without a sort."""
    if np.isnan(values).any():
        return float("nan")
    rank = min(int(np.ceil(share * values.size)), values.size) - 1
    return float(np.partition(values, rank)[rank])

"""Gaps: the differences of a run's tensors from golden's, in the tensors' own units."""

from collections.abc import Iterator, Mapping

import numpy as np

from compare.numerics.errors import Error, error_of
from compare.numerics.tensors import Tensor
from compare.results.gaps import Gap


class WrongShape(Exception):
    """A tensor of a run does not have golden's shape."""


def gaps(
    actual: Mapping[str, Tensor], golden: Mapping[str, Tensor], attention_mask: Tensor, *, causal: bool = True
) -> Iterator[Gap]:
    """Yield the gaps of all tensors of golden that the run exposes, in golden's order.

    attention_mask: (batch, sequence), 0 at padding; padding queries are left out. causal: whether a query sees only the
    keys up to its own position. Raises `WrongShape` if a tensor does not have golden's shape.
    """
    check_shapes(actual, golden)
    for name, reference in golden.items():
        if name in actual:
            error = error_of(name, actual[name], reference, attention_mask, causal=causal)
            yield gap_of(name, error, causal=causal)


def check_shapes(actual: Mapping[str, Tensor], golden: Mapping[str, Tensor]) -> None:
    """Raise `WrongShape` for the first tensor of the run that does not have golden's shape."""
    for name, reference in golden.items():
        if name in actual and actual[name].shape != reference.shape:
            raise WrongShape(f"{name} has shape {actual[name].shape}, golden has {reference.shape}")


def gap_of(name: str, error: Error, *, causal: bool = True) -> Gap:
    """Return the gap of one tensor: its error, combined over groups. causal: as in `gaps`.

    >>> error = error_of("logits", np.array([[[1.0, 2.5]]]), np.array([[[1.0, 2.0]]]), np.array([[1]]))
    >>> gap_of("logits", error).max
    0.5
    """
    attention = name.startswith("attention.")
    p50, p99, p999 = (float("nan"),) * 3 if np.isnan(error.max).any() else error.quantiles
    return Gap(
        tensor=name,
        max=float(error.max.max()),
        rms=_pooled(error.rms),
        p50=p50,
        p99=p99,
        p999=p999,
        size=_pooled(error.size),
        slope=float(error.slope.max()),
        place=error.place,
        heads=tuple(error.max.tolist()) if attention else (),
        above_diagonal=error.above if attention and causal else None,
    )


def _pooled(values: Tensor) -> float:
    """Return the root mean square over all groups, given that of each group. All groups have the same size."""
    return float(np.sqrt(np.mean(np.square(values))))

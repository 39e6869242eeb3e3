"""The inputs of one attention call in the battery: arrays and options."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Inputs:
    """The arguments of one attention call, as `compare.attention.reference.reference_attention` takes them.

    query: (batch, heads, sequence, head_dim). key, value: (batch, key heads, keys, head_dim). mask: boolean or
    additive.
    """

    query: Array
    key: Array
    value: Array
    mask: Array | None = None
    causal: bool = False
    scale: float | None = None
    softcap: float = 0.0

    @property
    def options(self) -> dict[str, Any]:
        """All arguments except query, key and value, by name."""
        return {"mask": self.mask, "causal": self.causal, "scale": self.scale, "softcap": self.softcap}

    @property
    def past(self) -> int:
        """The number of keys before the first query, if the last query is at the position of the last key."""
        return int(self.key.shape[2]) - int(self.query.shape[2])


def one_mask(inputs: Inputs) -> Array | None:
    """Combine causality and mask into one mask, for a kernel that takes only one of them.

    The result is None without either, additive if `inputs.mask` is, and otherwise boolean.

    >>> x = np.zeros((1, 1, 2, 4), np.float32)
    >>> one_mask(Inputs(x, x, x, causal=True)).tolist()
    [[True, False], [True, True]]
    """
    if not inputs.causal:
        return inputs.mask
    seen = np.tri(inputs.query.shape[2], inputs.key.shape[2], inputs.past, dtype=bool)
    if inputs.mask is None:
        return seen
    return (
        inputs.mask & seen
        if inputs.mask.dtype == bool
        else np.where(seen, inputs.mask, -np.inf).astype(inputs.mask.dtype)
    )


def added(mask: Array, dtype: Any = np.float32) -> Array:
    """Return a mask as numbers to add to the scores: 0 for True and -inf for False.

    >>> added(np.array([True, False])).tolist()
    [0.0, -inf]
    """
    return np.where(mask, 0, -np.inf).astype(dtype) if mask.dtype == bool else mask

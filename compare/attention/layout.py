"""Split hidden states into attention heads, and join heads again."""

from typing import Any


def adapt_dimensions(x: Any, heads: int | None = None) -> Any:
    """Split the last axis into heads, or join the heads into the last axis.

    x: a NumPy or Torch array. With `heads`, (batch, sequence, hidden) is split into (batch, heads, sequence,
    hidden / heads). Without, (batch, heads, sequence, head_dim) is joined into (batch, sequence, heads * head_dim).
    The values do not change. Raises `ValueError` if the shape does not fit.

    >>> import numpy as np
    >>> split = adapt_dimensions(np.zeros((1, 5, 768)), heads=12)
    >>> split.shape, adapt_dimensions(split).shape
    ((1, 12, 5, 64), (1, 5, 768))
    """
    from array_api_compat import array_namespace

    xp, shape = array_namespace(x), tuple(x.shape)
    if heads is None:
        if len(shape) != 4:
            raise ValueError(f"shape {shape} is not (batch, heads, sequence, head_dim); to split, give heads=")
        batch, found, sequence, head_dim = shape
        return xp.reshape(xp.permute_dims(x, (0, 2, 1, 3)), (batch, sequence, found * head_dim))
    if len(shape) != 3 or heads < 1 or shape[2] % heads:
        raise ValueError(
            f"shape {shape} cannot be split into {heads} heads: expected (batch, sequence, a multiple of {heads})"
        )
    batch, sequence, hidden = shape
    return xp.permute_dims(xp.reshape(x, (batch, sequence, heads, hidden // heads)), (0, 2, 1, 3))

"""The layout of a trace's tensors, and which of their elements are compared.

Tensors with heads are (batch, heads, sequence, ...), all others (batch, sequence, ...). Padding queries are left out.
In causal attention, only elements on and below the diagonal are compared. Elements on padding keys are left out.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[Any]

_BY_HEAD = ("query", "key", "value", "attention", "context")


def by_head(name: str) -> bool:
    """Return whether a tensor, named as in `export.taps.tap_names`, has an axis of heads.

    >>> by_head("context.3"), by_head("logits")
    (True, False)
    """
    return name.partition(".")[0] in _BY_HEAD


def query_rows(name: str, tensor: Tensor, attention_mask: Tensor) -> Tensor:
    """Return the rows of a tensor whose positions are not padding.

    (batch, sequence, ...) becomes (rows, ...), and (batch, heads, sequence, ...) becomes (rows, heads, ...).
    """
    rows: Tensor = np.moveaxis(tensor, 2, 1) if by_head(name) else tensor
    if attention_mask.all():
        return rows.reshape(-1, *rows.shape[2:])
    kept: Tensor = rows[attention_mask.astype(bool)]
    return kept


def seen_keys(queries: int, keys: int, *, mask: Tensor | None = None, causal: bool = True) -> Tensor:
    """Return a mask (query, key), True where a query may see a key: on and below the causal diagonal.

    The last query sees every key. mask: (keys,), 0 at keys that are padding, which no query sees. causal: if False,
    every query sees every key that is not padding.

    >>> seen_keys(2, 3).astype(int).tolist()
    [[1, 1, 0], [1, 1, 1]]
    >>> seen_keys(2, 3, mask=np.array([0, 1, 1])).astype(int).tolist()
    [[0, 1, 0], [0, 1, 1]]
    """
    seen = np.tri(queries, keys, keys - queries, dtype=bool) if causal else np.ones((queries, keys), dtype=bool)
    return seen if mask is None else seen & mask.astype(bool)


def rms(values: Tensor) -> float:
    """Return the root mean square of all values, summed in float64."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))

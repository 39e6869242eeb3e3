"""How the tensors of a trace lie, and which of their numbers count.

(batch, heads, sequence, ...) for what has heads, (batch, sequence, ...) for the rest. Padding, as a query, never
counts; of attention only what stands on and below the causal diagonal does, and not on a key that is padding.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[Any]

_BY_HEAD = ("query", "key", "value", "attention", "context")


def by_head(name: str) -> bool:
    """Whether a tensor, named as in `export.taps.tap_names`, has an axis for its heads.

    >>> by_head("context.3"), by_head("logits")
    (True, False)
    """
    return name.partition(".")[0] in _BY_HEAD


def query_rows(name: str, tensor: Tensor, attention_mask: Tensor) -> Tensor:
    """The rows of a tensor that belong to real positions: (rows, ...); padding is left out.

    (batch, sequence, ...) gives (rows, ...), (batch, heads, sequence, ...) gives (rows, heads, ...).
    """
    rows: Tensor = np.moveaxis(tensor, 2, 1) if by_head(name) else tensor
    if attention_mask.all():
        return rows.reshape(-1, *rows.shape[2:])
    kept: Tensor = rows[attention_mask.astype(bool)]
    return kept


def seen_keys(queries: int, keys: int, *, mask: Tensor | None = None) -> Tensor:
    """True where a query may see a key, (query, key): on and below the causal diagonal, where the last sees every key.

    mask: (keys,), 0 at keys that are padding; none is where there is no mask.

    >>> seen_keys(2, 3).astype(int).tolist()
    [[1, 1, 0], [1, 1, 1]]
    >>> seen_keys(2, 3, mask=np.array([0, 1, 1])).astype(int).tolist()
    [[0, 1, 0], [0, 1, 1]]
    """
    causal = np.tri(queries, keys, keys - queries, dtype=bool)
    return causal if mask is None else causal & mask.astype(bool)


def rms(values: Tensor) -> float:
    """The root mean square of all values, summed in float64."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))

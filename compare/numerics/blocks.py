"""Two tensors as blocks of a few rows: their difference and the reference in float64, in buffers that are reused.

Of causal attention, only the keys up to the last one that a query of the block sees are read: about half of the tensor.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.numerics.tensors import by_head

Array = NDArray[Any]

#: The number of elements in a block: in float64, its two buffers have 4 MB.
SIZE = 2**18

#: Rows of attention are cut off behind their last seen key at a multiple of this. NumPy's sums of products take 2 to 32
#: numbers at a step, so leaving out whole steps of zeros does not change a bit of a sum.
_STEP = 64


@dataclass(frozen=True)
class Block:
    """Some rows of two tensors. The next block overwrites the arrays.

    batch: the index in the batch. rows: the positions. difference: actual - reference, float64, (rows, groups,
    elements); the reader may overwrite it. truth: the reference, of the same type and shape; read-only. Both are 0
    where nothing is compared; keys that no row of the block sees may be missing. counted: the number of compared
    elements. above: the largest probability above the causal diagonal. padding: the largest probability on a padding
    key.
    """

    batch: int
    rows: Array
    difference: Array
    truth: Array
    counted: int
    above: float = 0.0
    padding: float = 0.0


def blocks_of(
    name: str, actual: Array, reference: Array, attention_mask: Array, keys: Array, *, causal: bool = True
) -> Iterator[Block]:
    """Yield the blocks of two tensors, without queries that are padding.

    name: the tensors', as in `export.taps.tap_names`. attention_mask, keys: the masks of the queries and of the keys,
    (batch, sequence), 0 at padding. causal: whether a query sees only the keys up to its own position.
    """
    step = max(1, SIZE * attention_mask.size // reference.size)
    longest = min(step, attention_mask.shape[1])
    buffers = np.empty((2, longest * (reference.size // attention_mask.size)))
    for batch, mask in enumerate(attention_mask):
        both = [np.moveaxis(x[batch], 1, 0) if by_head(name) else x[batch] for x in (actual, reference)]
        kept = np.flatnonzero(mask)
        for start in range(0, len(kept), step):
            rows = kept[start : start + step]
            whole = len(rows) == rows[-1] - rows[0] + 1  # then a slice, which makes no copy
            index: Any = slice(rows[0], rows[-1] + 1) if whole else rows
            found, truth = (x[index] for x in both)
            if name.startswith("attention."):
                last = reference.shape[-1] - 1
                shown = rows + last - (reference.shape[-2] - 1) if causal else np.full_like(rows, last)
                yield _attention_block(batch, rows, shown, found, truth, keys[batch], buffers)
            else:
                yield _plain_block(batch, rows, found, truth, buffers)


def _plain_block(batch: int, rows: Array, found: Array, truth: Array, buffers: Array) -> Block:
    """Return a block of a tensor in which every element is compared."""
    difference, copy = (buffer[: truth.size].reshape(truth.shape) for buffer in buffers)
    np.subtract(found, truth, out=difference, dtype=np.float64)
    if truth.dtype != np.float64 or not truth.flags.c_contiguous:
        np.copyto(copy, truth)
        truth = copy
    shape = (len(rows), 1, -1)
    return Block(batch, rows, difference.reshape(shape), truth.reshape(shape), counted=truth.size)


def _attention_block(
    batch: int, rows: Array, shown: Array, found: Array, truth: Array, keys: Array, buffers: Array
) -> Block:
    """Return a block of attention, in which each query is compared on the keys that it sees.

    rows: the queries. shown: the last key that each of them may see. found, truth: (rows, heads, keys). keys: the mask
    of the keys, (keys,).
    """
    queries, heads, last = truth.shape
    seen = np.clip(shown + 1, 0, last)
    low, high = int(seen[0]), int(seen[-1])  # every query of the block sees keys below low, and none from high on
    width = last if last % _STEP else -(-max(high, 1) // _STEP) * _STEP
    difference, copy = (buffer[: queries * heads * width] for buffer in buffers)
    if truth.strides[0] > truth.strides[1]:  # in memory, the heads of a row follow one another
        difference, copy = (flat.reshape(queries, heads, width) for flat in (difference, copy))
    else:
        difference, copy = (flat.reshape(heads, queries, width).swapaxes(0, 1) for flat in (difference, copy))
    hidden = np.arange(low, high) >= seen[:, None, None]
    padded = np.flatnonzero(keys[:high] == 0)
    causal = padded < seen[:, None, None]
    for array, values in ((difference, found), (copy, truth)):
        np.copyto(array[..., :high], values[..., :high])
        array[..., high:] = 0.0
        np.copyto(array[..., low:high], 0.0, where=hidden)
        if padded.size:
            array[..., padded] = 0.0
    np.subtract(difference, copy, out=difference)
    above = largest_of(_magnitude(found[..., high:]), _magnitude_where(hidden, found[..., low:high]))
    padding = _magnitude_where(causal, found[..., padded]) if padded.size else 0.0
    counted = heads * (int(seen.sum()) - int(np.count_nonzero(causal)))
    return Block(batch, rows, difference, copy, counted, above, padding)


def _magnitude(values: Array) -> float:
    """Return the largest magnitude; 0 if there is no value, NaN if there is a NaN."""
    return largest_of(0.0, float(values.max()), -float(values.min())) if values.size else 0.0


def _magnitude_where(chosen: Array, values: Array) -> float:
    """Return the largest magnitude where `chosen` is True; 0 if it is True nowhere."""
    return float(np.abs(values).max(where=chosen, initial=0.0)) if chosen.any() else 0.0


def largest_of(*values: float) -> float:
    """Return the largest value; NaN if any is NaN."""
    return max(values, key=_nan_first)


def _nan_first(value: float) -> tuple[bool, float]:
    return value != value, value

"""The error of a tensor against a reference, computed in one pass over both.

There are four statistics, because each detects faults that the others miss (docs/method.md): the root mean square, the
largest error and its place, the worst channel, and the slope, which is the part of the error that is proportional to
the tensor.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.numerics.tensors import by_head, seen_keys

Array = NDArray[Any]

#: The fewest positions from which the root mean square of a channel is computed.
FEWEST_POSITIONS = 16

#: The number of elements in a block: in float64, a block and its intermediate arrays stay below 10 MB.
_BLOCK = 2**18

#: The number of bits of a float64's significand that select the bin: 5 bits give 32 bins for each power of two.
_BIN_BITS = 5

#: The quantiles that are computed, as shares of all errors.
QUANTILES = (0.5, 0.99, 0.999)


@dataclass(frozen=True)
class Error:
    """The error of one tensor against a reference.

    rms, max, slope, size and largest have one value for each group. In attention, each head is a group, because errors
    of heads differ by orders of magnitude. Every other tensor is one group.

    rms, max, slope: the statistics of the error. channels: the root mean square of each channel over all positions;
    empty if there are too few positions. size, largest: the root mean square and the largest magnitude of the
    reference. place: the index of the largest error in the tensor. nan: whether there is a NaN where the reference has
    none. quantiles: those of the absolute error in `QUANTILES`, exact to within 1.6 % (the middle of a logarithmic
    bin). above: the largest probability above the causal diagonal. padding: the largest probability on a padding key.
    """

    rms: Array
    max: Array
    slope: Array
    channels: Array
    size: Array
    largest: Array
    place: tuple[int, ...]
    nan: bool
    quantiles: tuple[float, ...]
    above: float = 0.0
    padding: float = 0.0


def error_of(name: str, actual: Array, reference: Array, attention_mask: Array, keys: Array | None = None) -> Error:
    """Compute the error of one tensor over the queries that are not padding.

    name: the tensor's, as in `export.taps.tap_names`. attention_mask: (batch, sequence), 0 at padding. keys: the mask
    of the keys, (batch, sequence), 0 at padding; attention_mask by default.

    Both tensors are read once, a block at a time, so memory-mapped tensors can have any size. Differences are computed
    and summed in float64.

    >>> error = error_of("logits", np.array([[[1.0, 2.5]]]), np.array([[[1.0, 2.0]]]), np.array([[1]]))
    >>> error.max.tolist(), error.place
    ([0.5], (0, 0, 1))
    """
    probabilities = name.startswith("attention.")
    positions = int(np.count_nonzero(attention_mask))
    groups = reference.shape[1] if probabilities else 1
    squares, products, sizes, worst, largest, count = np.zeros((6, groups))
    channels = np.zeros(0 if probabilities else reference.size // attention_mask.size)
    bins = np.zeros(2 ** (11 + _BIN_BITS), dtype=np.int64)
    place, furthest, truth_nan = (0,) * reference.ndim, -1.0, False
    keys = attention_mask if keys is None else keys
    unseen = {"above": 0.0, "padding": 0.0}
    for batch, rows, found, truth in _blocks(name, actual, reference, attention_mask):
        difference = found - truth
        counted = difference.size
        if probabilities:
            causal, seen = (seen_keys(*reference.shape[-2:], mask=m)[rows, None, :] for m in (None, keys[batch]))
            for where, hidden in (("above", ~causal), ("padding", causal & ~seen)):
                unseen[where] = max(unseen[where], _largest_where(hidden, found), key=_nan_first)
            difference, truth = np.where(seen, difference, 0.0), np.where(seen, truth, 0.0)
            counted = int(np.count_nonzero(seen)) * groups
        count += counted / groups
        squares += np.einsum("rge,rge->g", difference, difference)
        products += np.einsum("rge,rge->g", difference, truth)
        sizes += np.einsum("rge,rge->g", truth, truth)
        if channels.size:
            channels += np.einsum("rge,rge->e", difference, difference)
        largest = np.maximum(largest, np.maximum(truth.max(axis=(0, 2)), -truth.min(axis=(0, 2))))
        absolute = np.abs(difference, out=difference)
        maxima = absolute.max(axis=(0, 2))
        worst = np.maximum(worst, maxima)
        bins += np.bincount((absolute.view(np.int64) >> (52 - _BIN_BITS)).ravel(), minlength=bins.size)
        bins[0] -= difference.size - counted  # hidden keys were set to 0 above
        if not maxima.max() <= furthest:
            furthest = np.inf if np.isnan(maxima).any() else float(maxima.max())
            row, group, element = (int(i) for i in np.unravel_index(np.argmax(absolute), absolute.shape))
            place = _place(name, reference.shape, batch, int(rows[row]), group, element)
        truth_nan = truth_nan or bool(np.isnan(sizes).any())
    return Error(
        rms=np.sqrt(squares / count),
        max=worst,
        slope=np.abs(products) / np.where(sizes > 0, sizes, 1.0),
        channels=np.sqrt(channels / positions) if positions >= FEWEST_POSITIONS else np.zeros(0),
        size=np.sqrt(sizes / count),
        largest=largest,
        place=place,
        nan=bool(np.isnan(squares).any()) and not truth_nan,
        quantiles=_quantiles(bins),
        **unseen,
    )


def ulps_of(name: str, actual: Array, reference: Array, attention_mask: Array) -> tuple[float, ...]:
    """Return the quantiles (`QUANTILES`) of the error in units in the last place of float32.

    The unit is the distance from the reference to the next float32 (Muller et al. 2018, definition 2.6). Near zero the
    unit is tiny, so a large number of units there means little. Verdicts do not use it.

    >>> one = np.array([[[1.0, 1.0]]])
    >>> round(ulps_of("logits", one + 2**-23, one, np.array([[1]]))[0], 1)
    1.0
    """
    bins = np.zeros(2 ** (11 + _BIN_BITS), dtype=np.int64)
    for batch, rows, found, truth in _blocks(name, actual, reference, attention_mask):
        with np.errstate(over="ignore"):
            unit = np.spacing(np.abs(truth).astype(np.float32)).astype(np.float64)
        units = np.abs(found - truth) / unit
        if name.startswith("attention."):
            seen = seen_keys(*reference.shape[-2:], mask=attention_mask[batch])[rows, None, :]
            units = units[np.broadcast_to(seen, units.shape)]
        bins += np.bincount((units.ravel().view(np.int64) >> (52 - _BIN_BITS)), minlength=bins.size)
    return _quantiles(bins)


def _blocks(
    name: str, actual: Array, reference: Array, attention_mask: Array
) -> Iterator[tuple[int, Array, Array, Array]]:
    """Yield blocks: (index in the batch, positions, actual, reference).

    The last two are float64 arrays (positions, groups, elements).
    """
    groups = reference.shape[1] if name.startswith("attention.") else 1
    step = max(1, _BLOCK * attention_mask.size // reference.size)
    for batch, mask in enumerate(attention_mask):
        both = [np.moveaxis(x[batch], 1, 0) if by_head(name) else x[batch] for x in (actual, reference)]
        kept = np.flatnonzero(mask)
        for start in range(0, len(kept), step):
            rows = kept[start : start + step]
            whole = len(rows) == rows[-1] - rows[0] + 1  # then a slice, which makes no copy
            index: Any = slice(rows[0], rows[-1] + 1) if whole else rows
            found, truth = (np.asarray(x[index], dtype=np.float64).reshape(len(rows), groups, -1) for x in both)
            yield batch, rows, found, truth


def _place(name: str, shape: tuple[int, ...], batch: int, position: int, group: int, element: int) -> tuple[int, ...]:
    """Return the index in the whole tensor of an element of a block."""
    if name.startswith("attention."):
        return (batch, group, position, element)
    if by_head(name):
        return (batch, element // shape[-1], position, element % shape[-1])
    return (batch, position, *(int(i) for i in np.unravel_index(element, shape[2:])))


def _largest_where(hidden: Array, values: Array) -> float:
    """Return the largest magnitude where `hidden` is True; 0 if it is True nowhere."""
    return float(np.abs(values).max(where=hidden, initial=0.0)) if hidden.any() else 0.0


def _nan_first(value: float) -> tuple[bool, float]:
    return value != value, value


def _quantiles(bins: Array) -> tuple[float, ...]:
    """Return the quantiles by nearest rank, as the middles of their bins. NaN counts as the largest value."""
    ranks = np.ceil(np.array(QUANTILES) * bins.sum()).clip(1)
    edges = np.searchsorted(np.cumsum(bins), ranks)
    low, high = ((edges + i).astype(np.int64) << (52 - _BIN_BITS) for i in (0, 1))
    middles = (low.view(np.float64) + high.view(np.float64)) / 2
    return tuple(0.0 if edge == 0 else float(middle) for edge, middle in zip(edges, middles, strict=True))

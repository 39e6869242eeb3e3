"""The error of a tensor against a reference, computed in one pass over both.

There are four statistics, because each detects faults that the others miss (docs/verdicts.md): the root mean square,
the largest error and its place, the worst channel, and the slope, which is the part of the error that is proportional
to the tensor.
"""

from dataclasses import dataclass

import numpy as np

from compare.numerics.blocks import Array, Block, blocks_of, largest_of
from compare.numerics.tensors import by_head

#: The fewest positions from which the root mean square of a channel is computed.
FEWEST_POSITIONS = 16

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


def error_of(
    name: str, actual: Array, reference: Array, attention_mask: Array, keys: Array | None = None, *, causal: bool = True
) -> Error:
    """Compute the error of one tensor over the queries that are not padding.

    name: the tensor's, as in `export.taps.tap_names`. attention_mask: (batch, sequence), 0 at padding. keys: the mask
    of the keys, (batch, sequence), 0 at padding; attention_mask by default. causal: whether a query sees only the keys
    up to its own position.

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
    by_channel = positions >= FEWEST_POSITIONS and not probabilities
    channels = np.zeros(reference.size // attention_mask.size if by_channel else 0)
    bins = _no_bins()
    place, furthest, truth_nan = (0,) * reference.ndim, -1.0, False
    above, padding = 0.0, 0.0
    keys = attention_mask if keys is None else keys
    for block in blocks_of(name, actual, reference, attention_mask, keys, causal=causal):
        difference, truth = block.difference, block.truth
        count += block.counted / groups
        squares += np.einsum("rge,rge->g", difference, difference)
        products += np.einsum("rge,rge->g", difference, truth)
        sizes += np.einsum("rge,rge->g", truth, truth)
        if by_channel:
            channels += np.einsum("rge,rge->e", difference, difference)
        largest = np.maximum(largest, np.maximum(truth.max(axis=(0, 2)), -truth.min(axis=(0, 2))))
        absolute = np.abs(difference, out=difference)
        maxima = absolute.max(axis=(0, 2))
        worst = np.maximum(worst, maxima)
        if not maxima.max() <= furthest:
            furthest = np.inf if np.isnan(maxima).any() else float(maxima.max())
            place = _place(name, reference.shape, block, int(np.argmax(absolute)))
        _count(bins, absolute, block.counted)
        truth_nan = truth_nan or bool(np.isnan(sizes).any())
        above, padding = largest_of(above, block.above), largest_of(padding, block.padding)
    return Error(
        rms=np.sqrt(squares / count),
        max=worst,
        slope=np.abs(products) / np.where(sizes > 0, sizes, 1.0),
        channels=np.sqrt(channels / positions) if by_channel else channels,
        size=np.sqrt(sizes / count),
        largest=largest,
        place=place,
        nan=bool(np.isnan(squares).any()) and not truth_nan,
        quantiles=_quantiles(bins),
        above=above,
        padding=padding,
    )


def ulps_of(
    name: str, actual: Array, reference: Array, attention_mask: Array, *, causal: bool = True
) -> tuple[float, ...]:
    """Return the quantiles (`QUANTILES`) of the error in units in the last place of float32.

    The unit is the distance from the reference to the next float32 (Muller et al. 2018, definition 2.6). Near zero the
    unit is tiny, so a large number of units there means little. Verdicts do not use it. causal: as in `error_of`.

    >>> one = np.array([[[1.0, 1.0]]])
    >>> round(ulps_of("logits", one + 2**-23, one, np.array([[1]]))[0], 1)
    1.0
    """
    bins = _no_bins()
    for block in blocks_of(name, actual, reference, attention_mask, attention_mask, causal=causal):
        with np.errstate(over="ignore"):
            unit = np.spacing(np.abs(block.truth).astype(np.float32)).astype(np.float64)
        units = np.divide(block.difference, unit, out=block.difference)
        _count(bins, np.abs(units, out=units), block.counted)
    return _quantiles(bins)


def _place(name: str, shape: tuple[int, ...], block: Block, index: int) -> tuple[int, ...]:
    """Return the index in the whole tensor of an element of a block, given its flat index in the block."""
    row, group, element = (int(i) for i in np.unravel_index(index, block.difference.shape))
    position = int(block.rows[row])
    if name.startswith("attention."):
        return (block.batch, group, position, element)
    if by_head(name):
        return (block.batch, element // shape[-1], position, element % shape[-1])
    return (block.batch, position, *(int(i) for i in np.unravel_index(element, shape[2:])))


def _no_bins() -> Array:
    """Return the empty bins of all float64 numbers that are not negative."""
    return np.zeros(2 ** (11 + _BIN_BITS), dtype=np.int64)


def _count(bins: Array, values: Array, counted: int) -> None:
    """Count values into their bins; they are overwritten.

    values: float64, none negative. counted: how many of them are compared; the others are 0, and are not counted.
    """
    bits = values.view(np.int64)
    found = np.bincount(np.right_shift(bits, 52 - _BIN_BITS, out=bits).ravel(order="K"))
    bins[: found.size] += found
    bins[0] -= values.size - counted


def _quantiles(bins: Array) -> tuple[float, ...]:
    """Return the quantiles by nearest rank, as the middles of their bins. NaN counts as the largest value."""
    ranks = np.ceil(np.array(QUANTILES) * bins.sum()).clip(1)
    edges = np.searchsorted(np.cumsum(bins), ranks)
    low, high = ((edges + i).astype(np.int64) << (52 - _BIN_BITS) for i in (0, 1))
    middles = (low.view(np.float64) + high.view(np.float64)) / 2
    return tuple(0.0 if edge == 0 else float(middle) for edge, middle in zip(edges, middles, strict=True))

"""Errors and floors: how far a tensor lies from a reference, in units of what rounding alone does.

Four statistics, because each finds what the others miss (docs/method.md): the root mean square, the largest with its
place, the worst channel, and the slope, which is the part of the error that is proportional to the tensor. A floor is
the largest value of a statistic among the controls; a runtime's error divided by it is a multiple of rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.numerics.gaps import query_rows, seen_keys

Array = NDArray[Any]

#: Unit roundoff of float32: half the distance from 1 to the next number (Higham 2002, section 2.1).
UNIT_ROUNDOFF = 2.0**-24

#: A floor is at least this part of the unit roundoff times the tensor's size: fewer controls than runtimes are luckier.
_LEAST = 0.25

#: A channel's floor is at least this part of the tensor's.
_LEAST_CHANNEL = 0.05

#: Over fewer positions than this the root mean square of a channel says nothing.
FEWEST_POSITIONS = 16


@dataclass(frozen=True)
class Error:
    """The error of one tensor against a reference.

    One value a group: attention has a group for each head, because heads differ in size by orders of magnitude, and
    every other tensor is one group. channels: the root mean square of each channel over all positions, empty where
    there are too few. size, largest: of the reference. place: where the largest error is, as an index of the tensor.
    above: the largest probability above the causal diagonal.
    """

    rms: Array
    max: Array
    slope: Array
    channels: Array
    size: Array
    largest: Array
    place: tuple[int, ...]
    nan: bool
    above: float = 0.0


@dataclass(frozen=True)
class Floor:
    """What rounding alone does to one tensor: by group, and by channel. exact: no control had any error there."""

    rms: Array
    max: Array
    slope: Array
    channels: Array
    exact: Array


@dataclass(frozen=True)
class Multiples:
    """A tensor's error in units of its floor, the worst group's and the worst channel's."""

    rms: float
    max: float
    channel: float
    slope: float

    def beyond(self, limits: "Multiples") -> dict[str, float]:
        """The statistics that pass their limits, with their multiples, the one that passes by the most first."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        passed = {name: value for name, value in found.items() if not value <= getattr(limits, name)}
        return dict(sorted(passed.items(), key=lambda item: -item[1] / getattr(limits, item[0])))


def error_of(name: str, actual: Array, reference: Array, attention_mask: Array) -> Error:
    """The error of one tensor, named as in `export.taps.tap_names`; padding positions, as queries, are left out.

    >>> error = error_of("logits", np.array([[[1.0, 2.5]]]), np.array([[[1.0, 2.0]]]), np.array([[1]]))
    >>> error.max.tolist(), error.place
    ([0.5], (0, 0, 1))
    """
    found, truth = (query_rows(name, tensor, attention_mask) for tensor in (actual, reference))
    difference = np.subtract(found, truth, dtype=np.float64)
    above = 0.0
    if name.startswith("attention."):
        seen = query_rows(name, seen_keys(reference.shape), attention_mask)
        above = float(np.abs(found).max(where=~seen, initial=0.0))
        difference = np.where(seen, difference, 0.0)
        count = seen.sum(axis=(0, 2))  # of each head
        squares, products, sizes = (
            np.einsum("rhk,rhk->h", a, b) for a, b in ((difference, difference), (difference, truth), (truth, truth))
        )
        absolute = np.abs(difference).max(axis=(0, 2))
        largest, channels = np.abs(truth).max(axis=(0, 2)), np.zeros(0)
    else:
        flat, flat_truth = difference.reshape(len(difference), -1), truth.reshape(len(truth), -1)
        count = np.array([flat.size])
        squares, products, sizes = (
            np.array([np.vdot(a, b)]) for a, b in ((flat, flat), (flat, flat_truth), (flat_truth, flat_truth))
        )
        absolute, largest = np.array([np.abs(flat).max()]), np.array([np.abs(flat_truth).max()])
        enough = len(flat) >= FEWEST_POSITIONS
        channels = np.sqrt(np.einsum("rc,rc->c", flat, flat) / len(flat)) if enough else np.zeros(0)
    return Error(
        rms=np.sqrt(squares / count),
        max=absolute,
        slope=np.abs(products) / np.where(sizes > 0, sizes, 1.0),
        channels=channels,
        size=np.sqrt(sizes / count),
        largest=largest,
        place=_place(name, difference, attention_mask),
        nan=bool(np.isnan(found).any() and not np.isnan(truth).any()),
        above=above,
    )


def _place(name: str, difference: Array, attention_mask: Array) -> tuple[int, ...]:
    """Where the largest error is, as an index of the whole tensor; NaN counts as the largest."""
    row, *rest = np.unravel_index(np.argmax(np.abs(difference)), difference.shape)
    batch, position = (int(x) for x in np.argwhere(attention_mask)[row])
    by_head = name.partition(".")[0] in ("query", "key", "value", "attention", "context")
    if by_head:
        head, *rest = rest
        return (batch, int(head), position, *(int(x) for x in rest))
    return (batch, position, *(int(x) for x in rest))


def floor_of(controls: Sequence[Error]) -> Floor:
    """The floor of one tensor: the largest of each statistic among the controls, and never quite nothing."""
    size, largest = controls[0].size, controls[0].largest
    least = _LEAST * UNIT_ROUNDOFF
    rms = np.maximum(np.max([c.rms for c in controls], axis=0), least * size)
    channels = np.max([c.channels for c in controls], axis=0)
    return Floor(
        rms=rms,
        max=np.maximum(np.max([c.max for c in controls], axis=0), least * largest),
        slope=np.maximum(np.max([c.slope for c in controls], axis=0), least),
        channels=np.maximum(channels, _LEAST_CHANNEL * rms.max()) if channels.size else channels,
        exact=np.max([c.max for c in controls], axis=0) == 0,
    )


def multiples_of(error: Error, floor: Floor) -> Multiples:
    """An error in units of its floor. What every control reached exactly is either reached, or infinitely far."""
    missed = bool(np.any(floor.exact & ~(error.max == 0)))
    return Multiples(
        rms=_worst(error.rms, floor.rms, missed),
        max=_worst(error.max, floor.max, missed),
        channel=_worst(error.channels, floor.channels, missed) if error.channels.size else 0.0,
        slope=_worst(error.slope, floor.slope, missed),
    )


def _worst(values: Array, floors: Array, missed: bool) -> float:
    if missed:
        return float("inf")
    ratios = np.divide(values, floors, out=np.zeros_like(values, dtype=np.float64), where=floors > 0)
    return float(ratios.max())

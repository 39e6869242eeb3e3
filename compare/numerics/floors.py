"""Floors: the errors that rounding alone makes. Other errors are given as multiples of floors.

A floor is the largest value of a statistic of the error among the controls. The error of a runtime divided by the floor
is a multiple of rounding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from compare.numerics.blocks import Array
from compare.numerics.errors import Error
from compare.results.gaps import Multiples
from compare.results.precisions import UNIT_ROUNDOFF

#: A floor is at least this times the unit roundoff times the tensor's size. Without this bound, floors would be too low
#: if all controls have small errors by chance.
_LEAST = 0.25

#: A channel's floor is at least this times the tensor's floor.
_LEAST_CHANNEL = 0.05

_FLOORS = "floors.npz"
_BOTH = ("local", "accumulated")


@dataclass(frozen=True)
class Floor:
    """The floors of one tensor: by group (rms, max, slope) and by channel.

    exact: for each group, whether no control had an error.
    """

    rms: Array
    max: Array
    slope: Array
    channels: Array
    exact: Array


def floor_of(controls: Sequence[Error], roundoff: float = UNIT_ROUNDOFF) -> Floor:
    """Return the floors of one tensor: the largest value of each statistic among the controls, with a lower bound.

    roundoff: the unit roundoff of the controls' precision.
    """
    size, largest = controls[0].size, controls[0].largest
    least = _LEAST * roundoff
    rms = np.maximum(np.max([c.rms for c in controls], axis=0), least * size)
    channels = np.max([c.channels for c in controls], axis=0)
    return Floor(
        rms=rms,
        max=np.maximum(np.max([c.max for c in controls], axis=0), least * largest),
        slope=np.maximum(np.max([c.slope for c in controls], axis=0), least),
        channels=np.maximum(channels, _LEAST_CHANNEL * rms.max()) if channels.size else channels,
        exact=np.max([c.max for c in controls], axis=0) == 0,
    )


def larger(first: Floor, second: Floor) -> Floor:
    """Return the larger of two floors of one tensor in each group and channel."""
    return Floor(
        rms=np.maximum(first.rms, second.rms),
        max=np.maximum(first.max, second.max),
        slope=np.maximum(first.slope, second.slope),
        channels=np.maximum(first.channels, second.channels),
        exact=first.exact & second.exact,
    )


def multiples_of(error: Error, floor: Floor) -> Multiples:
    """Return an error in units of its floor; infinite for an error in a group in which every control is exact."""
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


def write_floors(folder: Path, floors: Mapping[str, tuple[Floor, Floor]]) -> None:
    """Write the local and accumulated floors of tensors into one file of a folder.

    Each array in the file is named by its tensor, "local" or "accumulated", and its field.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {
        f"{tensor} {which} {field.name}": getattr(floor, field.name)
        for tensor, pair in floors.items()
        for which, floor in zip(_BOTH, pair, strict=True)
        for field in fields(Floor)
    }
    np.savez(folder / _FLOORS, **arrays)


def read_floors(folder: Path) -> dict[str, tuple[Floor, Floor]]:
    """Read the floors that `write_floors` wrote, in the same order."""
    with np.load(folder / _FLOORS) as arrays:
        tensors = dict.fromkeys(name.split()[0] for name in arrays.files)

        def floor(tensor: str, which: str) -> Floor:
            return Floor(**{field.name: arrays[f"{tensor} {which} {field.name}"] for field in fields(Floor)})

        return {tensor: (floor(tensor, _BOTH[0]), floor(tensor, _BOTH[1])) for tensor in tensors}

"""Floors: what rounding alone does to a tensor, and an error in units of that.

A floor is the largest value of a statistic of the error among the controls; a runtime's error divided by it is a
multiple of rounding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from compare.numerics.errors import Array, Error
from compare.results.gaps import Multiples
from compare.results.precisions import UNIT_ROUNDOFF

#: A floor is at least this part of the unit roundoff times the tensor's size: fewer controls than runtimes are luckier.
_LEAST = 0.25

#: A channel's floor is at least this part of the tensor's.
_LEAST_CHANNEL = 0.05

_FLOORS = "floors.npz"
_BOTH = ("local", "accumulated")


@dataclass(frozen=True)
class Floor:
    """What rounding alone does to one tensor: by group, and by channel. exact: no control had any error there."""

    rms: Array
    max: Array
    slope: Array
    channels: Array
    exact: Array


def floor_of(controls: Sequence[Error], roundoff: float = UNIT_ROUNDOFF) -> Floor:
    """The floor of one tensor: the largest of each statistic among the controls, and never quite nothing.

    roundoff: of the precision that the controls run in.
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


def write_floors(folder: Path, floors: Mapping[str, tuple[Floor, Floor]]) -> None:
    """Write floors, local and accumulated, into one file of a folder; tensor and field name an array."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {
        f"{tensor} {which} {field.name}": getattr(floor, field.name)
        for tensor, pair in floors.items()
        for which, floor in zip(_BOTH, pair, strict=True)
        for field in fields(Floor)
    }
    np.savez(folder / _FLOORS, **arrays)


def read_floors(folder: Path) -> dict[str, tuple[Floor, Floor]]:
    """What `write_floors` wrote, in its order."""
    with np.load(folder / _FLOORS) as arrays:
        tensors = dict.fromkeys(name.split()[0] for name in arrays.files)

        def floor(tensor: str, which: str) -> Floor:
            return Floor(**{field.name: arrays[f"{tensor} {which} {field.name}"] for field in fields(Floor)})

        return {tensor: (floor(tensor, _BOTH[0]), floor(tensor, _BOTH[1])) for tensor in tensors}

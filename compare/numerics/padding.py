"""Why a run is wrong where sequences are padded: what it is held against, had the model read its mask in another way.

A tensor that is wrong under the mask it was given, and right under another reading of it, names its cause. Local errors
tell: a fault in one layer alone is named as one in all of them is.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from compare.numerics.tensors import Tensor
from compare.numerics.verdicts import beyond_limits
from compare.traces import Trace
from export.positions import positions_of

if TYPE_CHECKING:  # it loads torch, and the main process reads causes without
    from compare.numerics.weigher import Scales

IGNORED = "ignores the attention mask"
COUNTED = "counts padding as positions"
WRONG_SIDE = "applies the attention mask on the wrong side"
ONE_OFF = "applies the attention mask one position off"

#: A side that sequences are padded on -> the position that is padding then.
SIDES = {"left": 0, "right": -1}


@dataclass(frozen=True)
class Reading:
    """One way to read an attention mask: which keys are seen, and the position ids; int64 (batch, sequence) both."""

    words: str
    mask: Tensor
    positions: Tensor


@dataclass(frozen=True)
class Cause:
    """Why tensors are wrong where sequences are padded: in words, empty where no reading explains all of them.

    sides: "left", "right": the sides on which sequences are padded that come out wrong.
    """

    words: str = ""
    sides: list[str] = field(default_factory=list)


def cause_of(scales: "Scales", trace: Trace, names: Collection[str]) -> Cause:
    """Why these tensors of a trace that was weighed are beyond their limits."""
    weak = len(trace) == 1

    def fits(reading: Reading, queries: Tensor | None = None) -> bool:
        evidence = scales.reread(trace, names, reading.mask, reading.positions, queries)
        return not beyond_limits(evidence, weak=weak)

    mask = scales.mask
    given = Reading("", mask, positions_of(mask, mask.shape[1]))
    sides = [side for side in SIDES if (rows := padded_on(mask, side)).any() and not fits(given, mask * rows)]
    return Cause(next((reading.words for reading in readings(mask) if fits(reading)), ""), sides)


def readings(mask: Tensor) -> Iterator[Reading]:
    """The wrong readings of a mask (batch, sequence), the likeliest first."""
    columns = np.broadcast_to(np.arange(mask.shape[1]), mask.shape)
    own = positions_of(mask, mask.shape[1])
    masks = [(COUNTED, mask), (IGNORED, np.ones_like(mask)), (WRONG_SIDE, mask[:, ::-1])]
    for by in (1, -1):
        edge = np.s_[:, 0] if by == 1 else np.s_[:, -1]
        for entering in (1, 0):
            shifted = np.roll(mask, by, axis=1)
            shifted[edge] = entering
            masks.append((ONE_OFF, shifted))
        masks.append((ONE_OFF, np.roll(mask, by, axis=1)))
    for words, other in masks:
        read = np.ascontiguousarray(other)
        for positions in (own, columns, positions_of(read, mask.shape[1])):
            if words != COUNTED or positions is columns:
                yield Reading(words, read, np.ascontiguousarray(positions))


def padded_on(mask: Tensor, side: str) -> Tensor:
    """1 for the sequences of a batch that are padded on that side: (batch, 1).

    >>> padded_on(np.array([[1, 1, 1], [0, 1, 1], [1, 1, 0]]), "left").tolist()
    [[0], [1], [0]]
    """
    padded: Tensor = (mask[:, [SIDES[side]]] == 0).astype(np.int64)
    return padded

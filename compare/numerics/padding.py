"""Find the cause if a run is wrong on padded sequences.

The run's tensors are replayed with other readings of the mask. If the tensors that were wrong are right under one of
these readings, that reading is the cause. Local errors are compared, so the cause is found even if only one layer has
the fault.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from compare.numerics.tensors import Tensor
from compare.numerics.verdicts import beyond_limits
from compare.results.precisions import FLOAT32
from compare.traces import Trace
from export.positions import positions_of

if TYPE_CHECKING:  # `weigher` imports torch, which the main process must not load
    from compare.numerics.weigher import Scales

IGNORED = "ignores the attention mask"
COUNTED = "counts padding as positions"
WRONG_SIDE = "applies the attention mask on the wrong side"
ONE_OFF = "applies the attention mask one position off"

#: Side of the padding -> index of a position that is padding if a sequence is padded on that side.
SIDES = {"left": 0, "right": -1}


@dataclass(frozen=True)
class Reading:
    """One way to read an attention mask.

    words: the cause that this reading stands for. mask: 1 at keys that may be seen, int64 (batch, sequence). positions:
    the position ids, int64 (batch, sequence).
    """

    words: str
    mask: Tensor
    positions: Tensor


@dataclass(frozen=True)
class Cause:
    """The reason why tensors are wrong on padded sequences.

    words: the cause; empty if no reading explains all tensors. sides: the sides of padding, "left" or "right", on which
    tensors are wrong.
    """

    words: str = ""
    sides: list[str] = field(default_factory=list)


def cause_of(scales: "Scales", trace: Trace, names: Collection[str], precision: str = FLOAT32) -> Cause:
    """Find out why tensors of a trace are beyond their limits.

    scales: golden and floors of the padded input. names: the tensors that are beyond a limit. precision: that of the
    floors by which they are.
    """
    weak = len(trace) == 1

    def fits(reading: Reading, queries: Tensor | None = None) -> bool:
        evidence = scales.reread(trace, names, reading.mask, reading.positions, queries=queries, precision=precision)
        return not beyond_limits(evidence, weak=weak)

    mask = scales.mask
    given = Reading("", mask, positions_of(mask, mask.shape[1]))
    others = readings(mask, positions=scales.causal)
    sides = [side for side in SIDES if (rows := padded_on(mask, side)).any() and not fits(given, mask * rows)]
    return Cause(next((reading.words for reading in others if fits(reading)), ""), sides)


def readings(mask: Tensor, *, positions: bool = True) -> Iterator[Reading]:
    """Yield the wrong readings of a mask (batch, sequence), the likeliest first.

    positions: whether position ids are computed from the mask. Those of an encoder do not depend on it.
    """
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
        for numbers in (own, columns, positions_of(read, mask.shape[1])) if positions else (own,):
            if words != COUNTED or numbers is columns:
                yield Reading(words, read, np.ascontiguousarray(numbers))


def padded_on(mask: Tensor, side: str) -> Tensor:
    """Return 1 for each sequence that is padded on a side, else 0: (batch, 1).

    >>> padded_on(np.array([[1, 1, 1], [0, 1, 1], [1, 1, 0]]), "left").tolist()
    [[0], [1], [0]]
    """
    padded: Tensor = (mask[:, [SIDES[side]]] == 0).astype(np.int64)
    return padded

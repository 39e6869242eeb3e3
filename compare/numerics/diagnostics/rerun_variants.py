"""The self-gap ladder: how far a runtime's logits lie from its own when only the circumstances change.

Nobody calls these differences errors: people live with them whenever they change the number of threads, or let
requests share a batch. They stand beside the gaps between runtimes, as something to hold those against.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compare.numerics.tensors import Tensor

#: How many sequences share the batch of that rung, and how many positions of padding follow in that one.
BATCH = 4
PADDING = 8


@dataclass(frozen=True)
class Rung:
    """One way to run the same sequence again. input_ids, attention_mask: int64 (batch, sequence), the sequence first.

    threads: how many may be computed with.
    """

    name: str
    input_ids: Tensor
    attention_mask: Tensor
    threads: int


def rungs(input_ids: Tensor, attention_mask: Tensor, *, threads: int) -> Iterator[Rung]:
    """The rungs for an input (batch, sequence), the plain run first, one with another number of threads last.

    The sequence that all have in common, or begin with, is the input's first. Alone, it gets neighbours that are the
    same text begun elsewhere; one of several is run alone.

    >>> ids = np.array([[5, 6, 7]])
    >>> [(rung.name, rung.input_ids.shape, rung.threads) for rung in rungs(ids, np.ones_like(ids), threads=2)]
    [('plain', (1, 3), 2), ('again', (1, 3), 2), ('batch of 4', (4, 3), 2), \
('8 of padding', (1, 11), 2), ('first half', (1, 2), 2), ('1 thread', (1, 3), 1)]
    """
    first, seen = input_ids[:1], attention_mask[:1]
    yield Rung("plain", input_ids, attention_mask, threads)
    yield Rung("again", input_ids, attention_mask, threads)
    if len(input_ids) > 1:
        yield Rung("batch of 1", first, seen, threads)
    else:
        steps = [place * first.shape[1] // BATCH for place in range(BATCH)]
        neighbours = np.concatenate([np.roll(first, step, axis=1) for step in steps])
        yield Rung(f"batch of {BATCH}", neighbours, np.repeat(seen, BATCH, axis=0), threads)
    longer = ((0, 0), (0, PADDING))
    yield Rung(f"{PADDING} of padding", np.pad(input_ids, longer), np.pad(attention_mask, longer), threads)
    half = (input_ids.shape[1] + 1) // 2
    yield Rung("first half", input_ids[:, :half], attention_mask[:, :half], threads)
    other = 1 if threads > 1 else 2
    yield Rung(f"{other} thread{'s' if other > 1 else ''}", input_ids, attention_mask, other)


def logit_gap(actual: Tensor, other: Tensor, attention_mask: Tensor) -> float:
    """The largest difference between two runs' logits (batch, sequence, vocabulary) on the first sequence of both.

    attention_mask: (batch, sequence) of the first run; padding does not count, nor positions that only one run has. NaN
    where one of them has a NaN that the other has not.

    >>> actual = np.zeros((1, 2, 3)); other = np.ones((4, 9, 3)); other[0] = 0.5
    >>> logit_gap(actual, other, np.array([[1, 1]]))
    0.5
    """
    real = np.flatnonzero(attention_mask[0, : other.shape[1]])
    mine, theirs = (np.asarray(x[0][real], dtype=np.float64) for x in (actual, other))
    both = np.isnan(mine) & np.isnan(theirs)
    return float(np.abs(np.where(both, 0.0, mine - theirs)).max())

"""The inputs and thread counts of reruns, and the differences between the outputs of one runtime's runs.

These differences are not errors: they occur whenever the number of threads changes, or requests are batched. The report
shows them next to the gaps between runtimes, for comparison.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compare.numerics.tensors import Tensor

#: The number of sequences in the variant with a larger batch, and of padding positions in the variant with padding.
BATCH = 4
PADDING = 8


@dataclass(frozen=True)
class Variant:
    """One variant of a rerun.

    input_ids, attention_mask: int64 (batch, sequence); the sequence that is compared is the first. threads: the number
    of threads.
    """

    name: str
    input_ids: Tensor
    attention_mask: Tensor
    threads: int


def make_variants(input_ids: Tensor, attention_mask: Tensor, *, threads: int, causal: bool = True) -> Iterator[Variant]:
    """Yield the variants for an input (batch, sequence). "plain" and "again" are first; the last changes the threads.

    Each variant contains the first sequence of the input or the first half of it. If the input has one sequence, the
    variant with another batch size adds rotated copies of it; otherwise it runs the first sequence alone. If the model
    is not causal, half of a sequence is another input, so that variant is left out.

    >>> ids = np.array([[5, 6, 7]])
    >>> variants = make_variants(ids, np.ones_like(ids), threads=2)
    >>> [(variant.name, variant.input_ids.shape, variant.threads) for variant in variants]
    [('plain', (1, 3), 2), ('again', (1, 3), 2), ('batch of 4', (4, 3), 2), \
('8 of padding', (1, 11), 2), ('first half', (1, 2), 2), ('1 thread', (1, 3), 1)]
    """
    first, seen = input_ids[:1], attention_mask[:1]
    yield Variant("plain", input_ids, attention_mask, threads)
    yield Variant("again", input_ids, attention_mask, threads)
    if len(input_ids) > 1:
        yield Variant("batch of 1", first, seen, threads)
    else:
        steps = [place * first.shape[1] // BATCH for place in range(BATCH)]
        neighbours = np.concatenate([np.roll(first, step, axis=1) for step in steps])
        yield Variant(f"batch of {BATCH}", neighbours, np.repeat(seen, BATCH, axis=0), threads)
    longer = ((0, 0), (0, PADDING))
    yield Variant(f"{PADDING} of padding", np.pad(input_ids, longer), np.pad(attention_mask, longer), threads)
    if causal:
        half = (input_ids.shape[1] + 1) // 2
        yield Variant("first half", input_ids[:, :half], attention_mask[:, :half], threads)
    other = 1 if threads > 1 else 2
    yield Variant(f"{other} thread{'s' if other > 1 else ''}", input_ids, attention_mask, other)


def output_gap(actual: Tensor, other: Tensor, attention_mask: Tensor) -> float:
    """Return the largest difference between two runs' outputs on the first sequence of both.

    actual, other: logits or last hidden states, (batch, sequence, ...). attention_mask: (batch, sequence) of the first
    run. Padding and positions that only one run has are left out. The result is NaN if one run has a NaN where the
    other has none.

    >>> actual = np.zeros((1, 2, 3)); other = np.ones((4, 9, 3)); other[0] = 0.5
    >>> output_gap(actual, other, np.array([[1, 1]]))
    0.5
    """
    largest = []
    for place in np.flatnonzero(attention_mask[0, : other.shape[1]]):  # a position at a time stays in the cache
        mine, theirs = (np.asarray(x[0][place], dtype=np.float64) for x in (actual, other))
        both = np.isnan(mine) & np.isnan(theirs)
        largest.append(np.abs(np.where(both, 0.0, mine - theirs)).max())
    return float(np.max(largest))

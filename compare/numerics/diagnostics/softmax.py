"""What a softmax knows of its errors and a plain gap does not: its rows add up to 1 and are probabilities."""

from dataclasses import dataclass

import numpy as np

from compare.numerics.tensors import Tensor, seen_keys

#: Smaller probabilities than this have no relative error worth naming: nothing that follows hears of them.
LEAST = 1e-6


@dataclass(frozen=True)
class SoftmaxGap:
    """How the rows of a run's attention lie beside golden's, over all heads and all queries that are not padding.

    row_sums: the largest distance of a row's sum from 1. variation: the largest total variation of a row, half the sum
    of |run - golden|: the probability that went to other keys (Levin and Peres 2017, proposition 4.2). flips: rows
    whose likeliest key is another; real_flips: those among them where golden's margin over its second choice is more
    than twice what rounding does to that head. relative: the largest relative error of a probability of `LEAST` or
    more. Rows of one key are left out of flips.
    """

    rows: int
    row_sums: float
    variation: float
    flips: int
    real_flips: int
    relative: float


def softmax_gap(actual: Tensor, golden: Tensor, attention_mask: Tensor, *, rounding: Tensor) -> SoftmaxGap:
    """Compare attention (batch, heads, query, key); attention_mask: (batch, sequence), 0 at padding.

    rounding: (heads,), the largest gap that rounding makes in each head. Keys that a query may not see do not count:
    what stands on them is looked at elsewhere, and a row's sum here is over the keys that it sees.

    >>> golden = np.array([[[[1.0, 0.0], [0.75, 0.25]]]])
    >>> run = np.array([[[[1.0, 0.0], [0.25, 0.75]]]])
    >>> found = softmax_gap(run, golden, np.array([[1, 1]]), rounding=np.array([1e-7]))
    >>> found.variation, found.flips, found.real_flips, found.row_sums
    (0.5, 1, 1, 0.0)
    """
    rows, flips, real, sums, variation, relative = 0, 0, 0, 0.0, 0.0, 0.0
    for batch, mask in enumerate(attention_mask.astype(bool)):
        some = seen_keys(*golden.shape[-2:], mask=mask)[mask]
        for head in range(golden.shape[1]):
            found, truth = (np.where(some, x[batch, head][mask].astype(np.float64), 0.0) for x in (actual, golden))
            difference = np.abs(found - truth)
            rows += len(truth)
            sums = max(sums, float(np.abs(found.sum(-1) - 1).max()))
            variation = max(variation, float(difference.sum(-1).max() / 2))
            large = truth >= LEAST
            relative = max(relative, float((difference[large] / truth[large]).max(initial=0.0)))
            if truth.shape[-1] > 1:
                second, first = np.partition(truth, -2, axis=-1)[:, -2:].T
                changed = found.argmax(-1) != truth.argmax(-1)
                flips += int(changed.sum())
                real += int((changed & (first - second > 2 * rounding[head])).sum())
    return SoftmaxGap(rows, sums, variation, flips, real, relative)

"""Error metrics of attention that rely on its rows being probabilities that sum to 1."""

import numpy as np

from compare.numerics.tensors import Tensor, seen_keys
from compare.results.gaps import SoftmaxGap

#: The smallest probability whose relative error is reported; smaller ones have no effect on later tensors.
LEAST = 1e-6


def softmax_gap(
    actual: Tensor, golden: Tensor, attention_mask: Tensor, *, rounding: Tensor, causal: bool = True
) -> SoftmaxGap:
    """Compare the rows of a run's attention with golden's.

    actual, golden: attention, (batch, heads, query, key). attention_mask: (batch, sequence), 0 at padding. rounding:
    the largest gap that rounding makes in each head, (heads,). causal: whether a query sees only the keys up to its own
    position. Keys that a query may not see are left out of all metrics.

    >>> golden = np.array([[[[1.0, 0.0], [0.75, 0.25]]]])
    >>> run = np.array([[[[1.0, 0.0], [0.25, 0.75]]]])
    >>> found = softmax_gap(run, golden, np.array([[1, 1]]), rounding=np.array([1e-7]))
    >>> found.variation, found.flips, found.real_flips, found.row_sums
    (0.5, 1, 1, 0.0)
    """
    rows, flips, real, sums, variation, relative = 0, 0, 0, 0.0, 0.0, 0.0
    for batch, mask in enumerate(attention_mask.astype(bool)):
        some = seen_keys(*golden.shape[-2:], mask=mask, causal=causal)[mask]
        for head in range(golden.shape[1]):
            found, truth = (np.where(some, x[batch, head][mask].astype(np.float64), 0.0) for x in (actual, golden))
            difference = np.abs(found - truth)
            rows += len(truth)
            sums = max(sums, float(np.abs(found.sum(-1) - 1).max()))
            variation = max(variation, float(difference.sum(-1).max() / 2))
            shares = np.divide(difference, truth, out=np.zeros_like(truth), where=truth >= LEAST)
            relative = max(relative, float(shares.max(initial=0.0)))
            changed = found.argmax(-1) != truth.argmax(-1)
            if changed.any():
                second, first = np.partition(truth[changed], -2, axis=-1)[:, -2:].T
                flips += len(first)
                real += int((first - second > 2 * rounding[head]).sum())
    return SoftmaxGap(rows=rows, row_sums=sums, variation=variation, flips=flips, real_flips=real, relative=relative)

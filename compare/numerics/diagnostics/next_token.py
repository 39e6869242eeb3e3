"""The effect of a gap in the logits on the next token and its distribution.

It is computed only for trained weights, because next tokens of random weights have no meaning.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.numerics.tensors import query_rows
from compare.results.gaps import Decisions

#: Rows of logits in a block: 64 rows of GPT-2's vocabulary are 26 MB in float64.
_ROWS = 64


def decisions(
    logits: NDArray[Any],
    golden: NDArray[Any],
    input_ids: NDArray[Any],
    attention_mask: NDArray[Any],
    *,
    rounding: float,
) -> Decisions:
    """Compare the next-token distributions of a run and golden.

    logits, golden: the logits, (batch, sequence, vocabulary). input_ids, attention_mask: (batch, sequence). rounding:
    the largest gap of the controls' logits, in the logits' own unit.

    >>> golden = np.array([[[2.0, 1.0, 0.0, -1.0, -2.0], [0.0, 1.0, 2.0, 3.0, 4.0]]])
    >>> found = decisions(golden + 7.0, golden, np.array([[0, 4]]), np.array([[1, 1]]), rounding=1e-6)
    >>> found.flips, found.centred, round(found.kl_max, 12), round(found.perplexity, 12)
    (0, 0.0, 0.0, 0.0)
    """
    found, truth = (query_rows("logits", tensor, attention_mask) for tensor in (logits, golden))
    targets = query_rows("ids", np.roll(input_ids, -1, axis=1)[..., None], attention_mask)[:, 0]
    follows = np.roll(attention_mask, -1, axis=1)
    follows[:, -1] = 0  # no token follows the last position
    predicted = query_rows("ids", follows[..., None], attention_mask)[:, 0].astype(bool)
    blocks = [slice(start, start + _ROWS) for start in range(0, len(truth), _ROWS)]
    parts = [_block(found[rows], truth[rows], targets[rows], rounding) for rows in blocks]
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    flips, real, top5, kl, centred, surprise, golden_surprise = columns
    perplexities = [
        float(np.exp(values[predicted].mean())) if predicted.any() else 0.0 for values in (surprise, golden_surprise)
    ]
    return Decisions(
        positions=len(truth),
        flips=int(flips.sum()),
        real_flips=int(real.sum()),
        top5=float(top5.mean()),
        kl_mean=float(kl.mean()),
        kl_p99=float(np.quantile(kl, 0.99)),
        kl_max=float(kl.max()),
        centred=float(centred.max()),
        perplexity=perplexities[0] - perplexities[1],
    )


def _block(
    found: NDArray[Any], truth: NDArray[Any], targets: NDArray[Any], rounding: float
) -> tuple[NDArray[Any], ...]:
    """Return by row: flip, real flip, top-5 share, KL, centred gap, and both runs' surprisal of the next token."""
    found, truth = found.astype(np.float64), truth.astype(np.float64)
    rows = np.arange(len(truth))
    gap = found - truth
    choice = truth.argmax(axis=-1)
    flips = found.argmax(axis=-1) != choice
    second, first = np.partition(truth[flips], -2, axis=-1)[:, -2:].T
    real = flips.copy()
    real[flips] = first - second > 2 * rounding
    best = min(5, truth.shape[-1])
    theirs, ours = (np.argpartition(x, -best, axis=-1)[:, -best:] for x in (found, truth))
    top5 = (theirs[:, :, None] == ours[:, None, :]).any(axis=1).mean(axis=-1)
    log_found, log_truth = _log_softmax(found), _log_softmax(truth)
    kl = np.maximum((np.exp(log_truth) * (log_truth - log_found)).sum(axis=-1), 0.0)
    centred = np.abs(gap - gap.mean(axis=-1, keepdims=True)).max(axis=-1)
    return flips, real, top5, kl, centred, -log_found[rows, targets], -log_truth[rows, targets]


def _log_softmax(logits: NDArray[Any]) -> NDArray[Any]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: NDArray[Any] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result

"""The effect of a gap in an encoder's hidden states on embeddings, and on the cosine between texts.

Embeddings are pooled as sentence-transformers does (`export.pooling`). Means and maxima are over the positions that are
not padding, and the first and the last token are those that are not padding.
"""

from collections.abc import Callable, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from compare.numerics.tensors import Tensor
from compare.results.embeddings import EmbeddingChanges


class States(NamedTuple):
    """The last hidden states of some texts.

    run, golden: (batch, sequence, hidden). mask: (batch, sequence), 0 at padding.
    """

    run: Tensor
    golden: Tensor
    mask: Tensor


def _weighted_mean(rows: Tensor) -> Tensor:
    weights = np.arange(1, len(rows) + 1)
    mean: Tensor = weights @ rows / weights.sum()
    return mean


#: Mode -> the embedding of the hidden states of one text, (positions, hidden).
POOLED: dict[str, Callable[[Tensor], Tensor]] = {
    "cls": lambda rows: rows[0],
    "max": lambda rows: rows.max(axis=0),
    "mean": lambda rows: rows.mean(axis=0),
    "mean_sqrt_len_tokens": lambda rows: rows.sum(axis=0) / sqrt(len(rows)),
    "weightedmean": _weighted_mean,
    "lasttoken": lambda rows: rows[-1],
}


def embeddings(states: Tensor, mask: Tensor, modes: Sequence[str]) -> Tensor:
    """Return the normalized embedding of each text in float64: (batch, hidden x modes).

    states: (batch, sequence, hidden). mask: (batch, sequence), 0 at padding. modes: keys of `POOLED`, whose results are
    concatenated.

    >>> embeddings(np.array([[[3.0, 0.0], [3.0, 8.0]]]), np.array([[1, 1]]), ["mean"]).tolist()
    [[0.6, 0.8]]
    """
    pooled = _pooled(states, mask, modes)
    normalized: Tensor = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    return normalized


def embedding_changes(inputs: Sequence[States], modes: Sequence[str], *, rounding: float) -> EmbeddingChanges | None:
    """Compare the embeddings of a run with golden's over the texts of all inputs; None if there is only one text.

    modes: as in `embeddings`. rounding: the largest gap of the controls' hidden states.

    >>> golden = np.array([[[1.0, 0.0]], [[0.0, 1.0]], [[0.6, 0.8]]])
    >>> run = np.array([[[0.8, 0.6]], [[0.0, 1.0]], [[0.6, 0.8]]])
    >>> found = embedding_changes([States(run, golden, np.ones((3, 1)))], ["mean"], rounding=1e-6)
    >>> round(found.cosine, 12), found.pair, found.flips, found.real_flips
    (0.6, (0, 1), 1, 1)
    """
    if sum(len(each.mask) for each in inputs) < 2:
        return None
    run = np.concatenate([embeddings(each.run, each.mask, modes) for each in inputs])
    golden = np.concatenate([embeddings(each.golden, each.mask, modes) for each in inputs])
    found, truth = run @ run.T, golden @ golden.T
    changes = np.abs(found - truth)
    first, second = (int(i) for i in np.unravel_index(int(changes.argmax()), changes.shape))
    reach = np.concatenate([_reach(each, modes, rounding) for each in inputs])
    for cosines in (found, truth):
        np.fill_diagonal(cosines, -np.inf)
    texts, own, other = np.arange(len(truth)), truth.argmax(axis=1), found.argmax(axis=1)
    lead = truth[texts, own] - truth[texts, other]
    return EmbeddingChanges(
        texts=len(texts),
        cosine=float(changes[first, second]),
        pair=(min(first, second), max(first, second)),
        distance=float(np.linalg.norm(run - golden, axis=1).max()),
        flips=int((own != other).sum()),
        real_flips=int((lead > 2 * reach[texts] + reach[own] + reach[other])[own != other].sum()),
    )


def _pooled(states: Tensor, mask: Tensor, modes: Sequence[str]) -> Tensor:
    """Return the embedding of each text before it is normalized."""
    texts = [text[kept.astype(bool)].astype(np.float64) for text, kept in zip(states, mask, strict=True)]
    return np.stack([np.concatenate([POOLED[mode](rows) for mode in modes]) for rows in texts])


def _reach(states: States, modes: Sequence[str], rounding: float) -> Tensor:
    """Return how far rounding can move the normalized embedding of each text, at most."""
    moved, length = (
        np.linalg.norm(_pooled(tensor, states.mask, modes), axis=1)
        for tensor in (np.full(states.golden.shape, rounding), states.golden)
    )
    share = moved / length  # the sine of the largest angle between the two embeddings
    reach: Tensor = np.where(share < 1, 2 * np.sin(np.arcsin(np.minimum(share, 1)) / 2), 2.0)
    return reach

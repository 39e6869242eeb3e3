"""The reference attention in memory that grows linearly with the sequence, not with its square.

Queries and keys are processed in blocks. For each row of the softmax three things are kept: its largest score so far,
the sum of exponentials relative to that score, and the weighted sum of values. If a new block has a larger score, both
sums are rescaled (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax"; Dao et al. 2022,
"FlashAttention"). Blocks that the causal mask hides are never computed.
"""

from typing import Any

from compare.attention.reference import masked, scaled_scores, soft_capped, spread_groups

Array = Any

#: Queries and keys in a block: enough for a fast matrix product, but few compared with a sequence of a thousand.
BLOCK = 192


def streaming_attention(
    query: Array,
    key: Array,
    value: Array,
    *,
    mask: Array | None = None,
    causal: bool = False,
    scale: float | None = None,
    softcap: float = 0.0,
    block: int = BLOCK,
) -> Array:
    """Return the context of `reference_attention`, (batch, heads, sequence, head_dim), without storing all scores.

    query, key, value, mask, causal, scale, softcap: as for `reference_attention`. block: the number of queries, and of
    keys, in a block. A row that sees no key is all zeros. Raises `ValueError` if the shapes do not fit or block is
    below 1.

    >>> import numpy as np
    >>> from compare import reference_attention
    >>> query, key, value = np.random.default_rng(0).standard_normal((3, 1, 2, 50, 8))
    >>> context, _ = reference_attention(query, key, value, causal=True)
    >>> bool(np.abs(streaming_attention(query, key, value, causal=True, block=16) - context).max() < 1e-14)
    True
    """
    from array_api_compat import array_namespace  # here, so that `import compare` stays light

    if block < 1:
        raise ValueError(f"block is {block}; it must be at least 1")
    xp = array_namespace(query, key, value)
    key, value = spread_groups(query, key, value)
    queries, keys = query.shape[2], key.shape[2]
    if mask is not None:
        mask = xp.broadcast_to(mask, (*query.shape[:2], queries, keys))
    offset = keys - queries
    contexts = []
    for start in range(0, queries, block):
        rows = slice(start, min(start + block, queries))
        seen_by_all, seen_by_any = (start + 1 + offset, rows.stop + offset) if causal else (keys, keys)
        state = _Rows(xp, query[:, :, rows, :], value)
        for first in range(0, max(seen_by_any, 0), block):
            columns = slice(first, min(first + block, seen_by_any))
            scores = soft_capped(scaled_scores(state.query, key[:, :, columns, :], scale), softcap)
            if columns.stop > seen_by_all:  # the block crosses the diagonal
                scores = masked(scores, _diagonal(xp, scores, start + offset, first))
            if mask is not None:
                scores = masked(scores, mask[:, :, rows, columns])
            state.add(scores, value[:, :, columns, :])
        contexts.append(state.context())
    return xp.concat(contexts, axis=2)


class _Rows:
    """The running state of a block of softmax rows: largest scores, sums, and weighted sums of values."""

    def __init__(self, xp: Any, query: Array, value: Array) -> None:
        self.xp, self.query = xp, query
        shape, like = (*query.shape[:-1], 1), {"dtype": query.dtype, "device": query.device}
        self.largest = xp.full(shape, -float("inf"), **like)
        self.total = xp.zeros(shape, **like)
        self.mixed = xp.zeros((*query.shape[:-1], value.shape[-1]), **like)

    def add(self, scores: Array, value: Array) -> None:
        """Add a block of scores (batch, heads, rows, keys) and its values."""
        xp = self.xp
        largest = xp.maximum(self.largest, xp.max(scores, axis=-1, keepdims=True))
        base = xp.where(largest == -float("inf"), xp.zeros_like(largest), largest)  # no key seen yet
        shrink, weights = xp.exp(self.largest - base), xp.exp(scores - base)
        self.total = self.total * shrink + xp.sum(weights, axis=-1, keepdims=True)
        self.mixed = self.mixed * shrink + weights @ value
        self.largest = largest

    def context(self) -> Array:
        return self.mixed / self.xp.where(self.total == 0, self.xp.ones_like(self.total), self.total)


def _diagonal(xp: Any, scores: Array, first_query: int, first_key: int) -> Array:
    """Return a mask of the block, True where a key's position is at or before the query's."""
    rows = xp.arange(scores.shape[-2], device=scores.device)[:, None] + first_query
    return xp.arange(scores.shape[-1], device=scores.device)[None, :] + first_key <= rows

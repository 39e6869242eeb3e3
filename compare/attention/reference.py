"""The reference attention, which golden uses, written to be short and readable.

It uses the Python array API, so the same code runs on NumPy and on Torch arrays.
"""

from collections.abc import Callable
from typing import Any

Array = Any  # an array of any library that array_api_compat knows: numpy.ndarray, torch.Tensor, ...


def reference_attention(
    query: Array,
    key: Array,
    value: Array,
    *,
    mask: Array | None = None,
    causal: bool = False,
    scale: float | None = None,
    softcap: float = 0.0,
) -> tuple[Array, Array]:
    """Scaled dot-product attention: softmax(query @ key.T * scale) @ value (Vaswani et al. 2017, equation 1).

    query: (batch, heads, sequence, head_dim). key, value: (batch, key heads, keys, head_dim); if there are fewer key
    heads than heads, neighbouring heads share one (grouped-query attention, Ainslie et al. 2023). mask: boolean, True
    where a key may be seen, or numbers that are added to the scores; broadcasts to (batch, heads, sequence, keys).
    causal: whether a query sees only the keys up to its own position; the last query has the position of the last key.
    scale: the factor of the scores, 1 / sqrt(head_dim) by default. softcap: the bound to which a tanh limits the scores
    before any mask is applied; 0 for no bound.

    Returns the context (batch, heads, sequence, head_dim) and the attention, which is the probabilities (batch, heads,
    sequence, keys). A row that sees no key is all zeros, as in ONNX's Attention operator (opset 23). Raises
    `ValueError` if the shapes do not fit.

    >>> import numpy as np
    >>> query = key = np.zeros((1, 1, 2, 4)); value = np.array([[[[0.0], [2.0]]]])
    >>> context, attention = reference_attention(query, key, value, causal=True)
    >>> attention[0, 0].tolist(), context[0, 0].tolist()
    ([[1.0, 0.0], [0.5, 0.5]], [[0.0], [1.0]])
    """
    key, value = spread_groups(query, key, value)
    scores = soft_capped(scaled_scores(query, key, scale), softcap)
    if causal:
        scores = masked(scores, causal_mask(scores))
    if mask is not None:
        scores = masked(scores, mask)
    attention = softmax(scores)
    return attention @ value, attention


def scaled_scores(query: Array, key: Array, scale: float | None = None) -> Array:
    """Return the scaled product of each query with each key: (batch, heads, sequence, keys)."""
    return (query @ _xp(key).matrix_transpose(key)) * (query.shape[-1] ** -0.5 if scale is None else scale)


def soft_capped(scores: Array, softcap: float) -> Array:
    """Return the scores, kept within +-softcap by a tanh (Gemma 2, 2024); 0 leaves them unchanged."""
    return _xp(scores).tanh(scores / softcap) * softcap if softcap else scores


def masked(scores: Array, mask: Array) -> Array:
    """Return the scores with -inf where a boolean mask is False, or with a mask of numbers added."""
    xp = _xp(scores)
    if mask.dtype != xp.bool:
        return scores + mask
    return xp.where(mask, scores, xp.full_like(scores, -float("inf")))


def softmax(scores: Array, total_of: Callable[[Array], Array] | None = None) -> Array:
    """The softmax along the last axis; a row that sees no key is all zeros.

    The largest score is subtracted first, so that no exponential overflows. total_of: a function that sums along the
    last axis and keeps that axis; by default the library's sum.
    """
    xp = _xp(scores)
    largest = xp.max(scores, axis=-1, keepdims=True)
    largest = xp.where(largest == -float("inf"), xp.zeros_like(largest), largest)  # a row that sees no key
    weights = xp.exp(scores - largest)
    total = xp.sum(weights, axis=-1, keepdims=True) if total_of is None else total_of(weights)
    return weights / xp.where(total == 0, xp.ones_like(total), total)


def causal_mask(scores: Array) -> Array:
    """Return a mask (sequence, keys), True on and below the diagonal that ends at the last query and the last key."""
    xp = _xp(scores)
    queries, keys = scores.shape[-2:]
    position = xp.arange(keys - queries, keys, device=scores.device)
    return xp.arange(keys, device=scores.device)[None, :] <= position[:, None]


def spread_groups(query: Array, key: Array, value: Array) -> tuple[Array, Array]:
    """Repeat each key and value head for every query head that shares it. Raises `ValueError` if shapes do not fit."""
    heads, key_heads = query.shape[1], key.shape[1]
    if heads % key_heads or key.shape[:-1] != value.shape[:-1] or query.shape[-1] != key.shape[-1]:
        shapes = ", ".join(f"{n} {tuple(x.shape)}" for n, x in (("query", query), ("key", key), ("value", value)))
        raise ValueError(
            f"shapes do not fit: {shapes}; expected (batch, heads, sequence, head_dim), equal head_dim of query and "
            "key, equal keys of key and value, and heads a multiple of key heads"
        )
    groups = heads // key_heads
    if groups == 1:
        return key, value
    return _xp(key).repeat(key, groups, axis=1), _xp(value).repeat(value, groups, axis=1)


def _xp(array: Array) -> Any:
    """Return the array's library, with the names of the Python array API."""
    from array_api_compat import array_namespace  # here, so that `import compare` stays light

    return array_namespace(array)

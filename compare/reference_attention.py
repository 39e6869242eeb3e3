"""The reference attention: the ruler that every runtime is held against, short enough to teach from.

Written once against the Python array API, so that the same lines run on NumPy and on Torch arrays.
"""

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
) -> tuple[Array, Array]:
    """Scaled dot-product attention: softmax(query @ key.T * scale) @ value (Vaswani et al. 2017, equation 1).

    query: (batch, heads, sequence, head_dim). key, value: (batch, key heads, keys, head_dim); with fewer key heads than
    heads each serves a group of neighbouring ones (grouped-query attention, Ainslie et al. 2023). mask: boolean, True
    where a key may be seen, or a number that is added to the scores; broadcasts to (batch, heads, sequence, keys).
    causal: a query sees the keys up to its own position, the last query being at the last key. scale: by default
    1 / sqrt(head_dim).

    Returns the context (batch, heads, sequence, head_dim) and the attention, which is the probabilities (batch, heads,
    sequence, keys). A row that sees no key is all zeros, as ONNX's Attention operator (opset 23) has it. Raises
    ValueError where the shapes do not fit.

    >>> import numpy as np
    >>> query = key = np.zeros((1, 1, 2, 4)); value = np.array([[[[0.0], [2.0]]]])
    >>> context, attention = reference_attention(query, key, value, causal=True)
    >>> attention[0, 0].tolist(), context[0, 0].tolist()
    ([[1.0, 0.0], [0.5, 0.5]], [[0.0], [1.0]])
    """
    from array_api_compat import array_namespace  # here, so that `import compare` stays light

    xp = array_namespace(query, key, value)
    key, value = _spread_groups(xp, query, key, value)
    scores = (query @ xp.matrix_transpose(key)) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if causal:
        scores = _hide(xp, scores, _causal(xp, scores))
    if mask is not None:
        scores = _hide(xp, scores, mask) if xp.isdtype(mask.dtype, "bool") else scores + mask
    attention = _softmax(xp, scores)
    return attention @ value, attention


def _softmax(xp: Any, scores: Array) -> Array:
    """Along the last axis; the largest score is subtracted, so that no exponential overflows."""
    largest = xp.max(scores, axis=-1, keepdims=True)
    largest = xp.where(xp.isinf(largest), xp.zeros_like(largest), largest)  # a row that sees no key: exp(-inf) = 0
    weights = xp.exp(scores - largest)
    total = xp.sum(weights, axis=-1, keepdims=True)
    return weights / xp.where(total == 0, xp.ones_like(total), total)


def _hide(xp: Any, scores: Array, seen: Array) -> Array:
    return xp.where(seen, scores, xp.full_like(scores, -float("inf")))


def _causal(xp: Any, scores: Array) -> Array:
    """True on and below the diagonal that ends in the last row and the last column."""
    queries, keys = scores.shape[-2:]
    position = xp.arange(keys - queries, keys, device=scores.device)
    return xp.arange(keys, device=scores.device)[None, :] <= position[:, None]


def _spread_groups(xp: Any, query: Array, key: Array, value: Array) -> tuple[Array, Array]:
    """Each key head as often as there are query heads that share it."""
    heads, key_heads = query.shape[1], key.shape[1]
    if heads % key_heads or key.shape[:-1] != value.shape[:-1] or query.shape[-1] != key.shape[-1]:
        shapes = ", ".join(f"{n} {tuple(x.shape)}" for n, x in (("query", query), ("key", key), ("value", value)))
        raise ValueError(
            f"shapes do not fit: {shapes}; expected (batch, heads, sequence, head_dim), equal head_dim of query and "
            "key, equal keys of key and value, and heads a multiple of key heads"
        )
    groups = heads // key_heads
    return (key, value) if groups == 1 else (xp.repeat(key, groups, axis=1), xp.repeat(value, groups, axis=1))

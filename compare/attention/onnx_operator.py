"""ONNX's Attention operator (opsets 23 to 25), mapped onto the reference attention.

The mathematics is that of `compare.reference_attention`, step by step. This module adds the rest of the operator: heads
packed into the last axis, a cache of keys and values, masks shorter than the keys, windows, padded lengths, low
precisions, and the output of intermediate scores.
"""

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from array_api_compat import array_namespace, is_torch_array

from compare.attention.layout import adapt_dimensions
from compare.attention.reference import masked, scaled_scores, soft_capped, softmax, spread_groups

Array = Any

#: The element types that softmax_precision may name, by their numbers in ONNX (onnx.proto, TensorProto.DataType).
PRECISIONS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}


class AttentionOutputs(NamedTuple):
    """The operator's outputs. present_key and present_value are past and new keys and values, joined."""

    y: Array
    present_key: Array
    present_value: Array
    qk_matmul_output: Array


def attention_operator(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None = None,
    past_key: Array | None = None,
    past_value: Array | None = None,
    nonpad_kv_seqlen: Array | None = None,
    *,
    is_causal: int = 0,
    q_num_heads: int | None = None,
    kv_num_heads: int | None = None,
    scale: float | None = None,
    softcap: float = 0.0,
    qk_matmul_output_mode: int = 0,
    softmax_precision: int | None = None,
    left_window_size: int = -1,
    right_window_size: int = -1,
) -> AttentionOutputs:
    """Compute the Attention operator on NumPy or Torch arrays; arguments have the names of the specification.

    query, key, value: (batch, heads, sequence, head_dim), or (batch, sequence, heads * head_dim) with q_num_heads and
    kv_num_heads given; y has the same layout. attn_mask: boolean, or numbers added to the scores; broadcasts to (batch,
    heads, sequence, keys), and its last axis may be shorter than the keys. nonpad_kv_seqlen: the number of keys that
    are not padding, (batch,). qk_matmul_output_mode: what qk_matmul_output contains: raw scores (0), capped scores (1),
    masked scores (2), or probabilities (3).

    Every step is computed in the inputs' precision. In NumPy, bfloat16 arrays are those of `ml_dtypes`. Raises
    `ValueError` for shapes and combinations that the specification rules out. Source: ONNX, Operators.md, Attention.

    >>> import numpy as np; x = np.zeros((1, 2, 8), np.float32)
    >>> attention_operator(x, x, x, q_num_heads=2, kv_num_heads=2, is_causal=1).y.shape
    (1, 2, 8)
    """
    if (past_key is None) != (past_value is None):
        raise ValueError("only one of past_key and past_value was given; give both or neither")
    if past_key is not None and nonpad_kv_seqlen is not None:
        raise ValueError("past_key and nonpad_kv_seqlen were both given; they are two ways to cache, give one")
    xp, precision, packed = array_namespace(query), query.dtype, query.ndim == 3
    if packed:
        query, key, value = _unpack(query, key, value, q_num_heads, kv_num_heads)
    offset = _offset(xp, query, past_key, nonpad_kv_seqlen)
    if past_key is not None:
        key, value = xp.concat([past_key, key], axis=2), xp.concat([past_value, value], axis=2)
    present_key, present_value = key, value
    key, value = spread_groups(query, key, value)

    # As in the specification, query and key are each multiplied by the root of the scale, and products are rounded.
    full = query.shape[-1] ** -0.5 if scale is None else scale
    root = _as(xp.asarray(full**0.5, dtype=xp.float64, device=query.device), precision)
    raw = _as(scaled_scores(query * root, key * root, 1.0), precision)
    capped = soft_capped(raw, softcap)
    scores = masked(capped, _seen(xp, capped, offset, nonpad_kv_seqlen, is_causal, left_window_size, right_window_size))
    if attn_mask is not None:
        scores = masked(scores, _full_width(xp, attn_mask, scores.shape[-1]))
    inside = precision if softmax_precision is None else _precision(xp, softmax_precision)
    attention = _as(softmax(_as(scores, inside), _total_of(inside)), precision)
    y = _as(attention @ value, precision)
    looked_at = (raw, capped, scores, attention)[qk_matmul_output_mode]
    return AttentionOutputs(adapt_dimensions(y) if packed else y, present_key, present_value, looked_at)


def _unpack(query: Array, key: Array, value: Array, heads: int | None, key_heads: int | None) -> list[Array]:
    if heads is None or key_heads is None:
        raise ValueError(f"query {tuple(query.shape)} has its heads packed: give q_num_heads and kv_num_heads")
    return [adapt_dimensions(x, n) for x, n in ((query, heads), (key, key_heads), (value, key_heads))]


def _offset(xp: Any, query: Array, past_key: Array | None, nonpad: Array | None) -> Any:
    """The number of keys before the first query: one number, or (batch, 1, 1, 1) if each sequence has its own."""
    if nonpad is not None:
        return xp.reshape(nonpad, (-1, 1, 1, 1)) - query.shape[2]
    return 0 if past_key is None else past_key.shape[2]


def _seen(xp: Any, scores: Array, offset: Any, nonpad: Array | None, causal: int, left: int, right: int) -> Array:
    """Return a mask that broadcasts to the scores: True where positions let a query see a key."""
    queries, keys = scores.shape[-2:]
    key = xp.arange(keys, device=scores.device)[None, None, None, :]
    position = xp.arange(queries, device=scores.device)[None, None, :, None] + offset
    seen = key >= 0
    if causal:
        seen = seen & (key <= position)
    if left >= 0:
        seen = seen & (key >= position - left)
    if right >= 0:
        seen = seen & (key <= position + right)
    return seen if nonpad is None else seen & (key < xp.reshape(nonpad, (-1, 1, 1, 1)))


def _full_width(xp: Any, mask: Array, keys: int) -> Array:
    """Extend a mask to the number of keys. The added keys are hidden."""
    if (short := keys - mask.shape[-1]) <= 0:
        return mask
    hidden = xp.full((*mask.shape[:-1], short), False if mask.dtype == xp.bool else -float("inf"), dtype=mask.dtype)
    return xp.concat([mask, hidden], axis=-1)


def _total_of(precision: Any) -> Callable[[Array], Array] | None:
    """Return the softmax's sum for bfloat16, one key after another as in ONNX's cases; None for other types."""
    if not str(precision).endswith("bfloat16"):
        return None
    return lambda weights: reduce(add, [weights[..., i : i + 1] for i in range(weights.shape[-1])])


def _precision(xp: Any, number: int) -> Any:
    """Return the library's type for an ONNX type number. Raises `ValueError` if the operator does not take it."""
    if number not in PRECISIONS:
        raise ValueError(
            f"softmax_precision is {number}; it must be one of {', '.join(f'{n} ({p})' for n, p in PRECISIONS.items())}"
        )
    if PRECISIONS[number] == "bfloat16" and not hasattr(xp, "bfloat16"):
        from ml_dtypes import bfloat16  # NumPy has no bfloat16; this package is a dependency of onnx

        return bfloat16
    return getattr(xp, PRECISIONS[number])


def _as(x: Array, precision: Any) -> Array:
    """Convert an array to a precision; NumPy's products of `ml_dtypes` arrays are float32."""
    if x.dtype == precision:
        return x
    return x.to(precision) if is_torch_array(x) else x.astype(precision)

"""ONNX's Attention operator (opsets 23 to 25), mapped onto the reference attention.

Everything that the operator does around the mathematics is here: heads packed into the last axis, a cache joined in
front, masks that are too short, windows, padded lengths, narrow precisions, and a look at the scores on the way. The
mathematics itself is `compare.reference_attention`, step by step.
"""

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from array_api_compat import array_namespace, is_torch_array

from compare.attention.layout import adapt_dimensions
from compare.attention.reference import masked, scaled_scores, soft_capped, softmax, spread_groups

Array = Any

#: ONNX's numbers for element types (onnx.proto, TensorProto.DataType) that softmax_precision may name.
PRECISIONS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}


class AttentionOutputs(NamedTuple):
    """The operator's outputs. The cache, where there was one, is joined with the new keys and values."""

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
    """The Attention operator on NumPy or Torch arrays, inputs and attributes named as in its specification.

    query, key, value: (batch, heads, sequence, head_dim), or (batch, sequence, heads * head_dim) with the numbers of
    heads as attributes; y comes back in the same form. attn_mask: boolean or added, broadcasts to (batch, heads,
    sequence, keys), its last axis may be shorter than the keys. nonpad_kv_seqlen: (batch,), how many keys are real.
    qk_matmul_output: the scores raw (mode 0), capped (1), masked (2), or as probabilities (3).

    Every step is computed in the inputs' precision, bfloat16 as an `ml_dtypes` array in NumPy. Raises ValueError for
    shapes and combinations that the specification rules out. Source: ONNX, Operators.md, Attention.

    >>> import numpy as np
    >>> x = np.zeros((1, 2, 8), np.float32)
    >>> attention_operator(x, x, x, q_num_heads=2, kv_num_heads=2, is_causal=1).y.shape
    (1, 2, 8)
    """
    if (past_key is None) != (past_value is None):
        raise ValueError("past_key and past_value go together, one was given")
    if past_key is not None and nonpad_kv_seqlen is not None:
        raise ValueError("past_key and nonpad_kv_seqlen are two ways to cache, both were given")
    xp, precision, packed = array_namespace(query), query.dtype, query.ndim == 3
    if packed:
        query, key, value = _unpack(query, key, value, q_num_heads, kv_num_heads)
    offset = _offset(xp, query, past_key, nonpad_kv_seqlen)
    if past_key is not None:
        key, value = xp.concat([past_key, key], axis=2), xp.concat([past_value, value], axis=2)
    present_key, present_value = key, value
    key, value = spread_groups(query, key, value)

    # The root of the scale on both sides, and each product in the inputs' precision: the specification's own steps.
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
        raise ValueError(f"query {tuple(query.shape)} has its heads packed: q_num_heads and kv_num_heads say how many")
    return [adapt_dimensions(x, n) for x, n in ((query, heads), (key, key_heads), (value, key_heads))]


def _offset(xp: Any, query: Array, past_key: Array | None, nonpad: Array | None) -> Any:
    """How many keys stand before the first query: a number, or (batch, 1, 1, 1) where it differs from row to row."""
    if nonpad is not None:
        return xp.reshape(nonpad, (-1, 1, 1, 1)) - query.shape[2]
    return 0 if past_key is None else past_key.shape[2]


def _seen(xp: Any, scores: Array, offset: Any, nonpad: Array | None, causal: int, left: int, right: int) -> Array:
    """Which keys a query may see by its position alone: True where it may, broadcasting to the scores."""
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
    """A mask as wide as there are keys: what it does not reach is not seen."""
    if (short := keys - mask.shape[-1]) <= 0:
        return mask
    hidden = xp.full((*mask.shape[:-1], short), False if mask.dtype == xp.bool else -float("inf"), dtype=mask.dtype)
    return xp.concat([mask, hidden], axis=-1)


def _total_of(precision: Any) -> Callable[[Array], Array] | None:
    """How the softmax adds up: bfloat16 one key after another, as ONNX's cases have it, else as the library does."""
    if not str(precision).endswith("bfloat16"):
        return None
    return lambda weights: reduce(add, [weights[..., i : i + 1] for i in range(weights.shape[-1])])


def _precision(xp: Any, number: int) -> Any:
    """The library's type for one of ONNX's numbers of types. Raises ValueError for another than the operator takes."""
    if number not in PRECISIONS:
        raise ValueError(
            f"softmax_precision is {number}; it takes {', '.join(f'{n} ({p})' for n, p in PRECISIONS.items())}"
        )
    if PRECISIONS[number] == "bfloat16" and not hasattr(xp, "bfloat16"):
        from ml_dtypes import bfloat16  # NumPy has none of its own; onnx brings this package

        return bfloat16
    return getattr(xp, PRECISIONS[number])


def _as(x: Array, precision: Any) -> Array:
    """In that precision; NumPy gives products of its foreign types back as float32."""
    if x.dtype == precision:
        return x
    return x.to(precision) if is_torch_array(x) else x.astype(precision)

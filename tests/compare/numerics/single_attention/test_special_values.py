"""One attention with special values: huge or equal scores, copied values, zeros, subnormals, infinities and NaN."""

import numpy as np
import pytest

from compare import reference_attention, streaming_attention
from compare.numerics.gaps import WrongShape
from compare.numerics.single_attention.scale import attention_scale
from tests.helpers.attention_inputs import qkv, sdpa

pytestmark = pytest.mark.filterwarnings("error")


def test_huge_scores_choose_one_key_exactly() -> None:
    query, key, value = qkv()
    query = 1e4 * query
    scale = attention_scale(query, key, value)
    assert scale.judge(sdpa(query, key, value)).kind == "rounding"


@pytest.mark.parametrize("keys", [2, 3, 7, 16])
def test_ties(keys: int) -> None:
    query, key, value = qkv(keys=keys)
    key = np.broadcast_to(key[:, :, :1], key.shape)
    for values in (value, np.ones_like(value)):
        scale = attention_scale(query, key, values)
        assert scale.judge(sdpa(query, np.ascontiguousarray(key), values)).kind == "rounding"
        assert scale.judge(streaming_attention(query, key, values, block=2)).kind == "rounding"


@pytest.mark.parametrize("keys", [1, 4])
def test_what_copies_a_value_must_be_exact(keys: int) -> None:
    """Cases are one token, and one key with so large a score that all other probabilities are exactly 0."""
    query, key, value = qkv(queries=3, keys=keys)
    if keys > 1:
        query, key = np.ones_like(query), np.zeros_like(key)
        key[:, :, 2] = 1e4
    scale = attention_scale(query, key, value)
    exact = sdpa(query, key, value)
    assert scale.floor.exact.all()
    assert scale.judge(exact).kind == "rounding"
    off = scale.judge(np.nextafter(exact, np.float32(9)))
    assert off.kind == "different"
    assert off.multiple == np.inf


def test_values_of_zero_must_come_out_as_zero() -> None:
    query, key, value = qkv()
    scale = attention_scale(query, key, 0 * value)
    assert scale.judge(0 * value).kind == "rounding"
    assert scale.judge(0 * value + np.float32(1e-30)).multiple == np.inf


@pytest.mark.parametrize("added", [False, True])
def test_rows_that_see_no_key_are_zeros(added: bool) -> None:
    arrays = qkv()
    mask = np.random.default_rng(0).random((20, 20)) < 0.5
    mask[4] = False
    given_mask = np.where(mask, 0.0, -np.inf) if added else mask
    scale = attention_scale(*arrays, mask=given_mask)
    assert (scale.golden[:, :, 4] == 0).all()
    context, _ = reference_attention(*arrays, mask=given_mask)
    assert scale.judge(context).kind == "rounding"
    context[:, :, 4] = np.nan
    assert scale.judge(context).kind == "broken"


def test_causal_with_fewer_keys_than_queries_leaves_the_first_without_any() -> None:
    arrays = qkv(queries=6, keys=4)
    scale = attention_scale(*arrays, causal=True)
    assert (scale.golden[:, :, :2] == 0).all()
    assert scale.judge(streaming_attention(*arrays, causal=True, block=3)).kind == "rounding"


def test_subnormal_values() -> None:
    query, key, value = qkv()
    value = (value * np.float32(1e-40)).astype(np.float32)
    assert 0 < np.abs(value).max() < np.finfo(np.float32).tiny
    scale = attention_scale(query, key, value)
    context, _ = reference_attention(query, key, value)
    assert scale.judge(context).kind == "rounding"
    assert scale.judge(0 * context).kind == "different"


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinity_is_different(value: float) -> None:
    arrays = qkv()
    context = sdpa(*arrays)
    context[0, 0, 3, 2] = value
    verdict = attention_scale(*arrays).judge(context)
    assert verdict.kind == "different"
    assert verdict.multiple == np.inf


def test_nan_is_broken_and_so_is_another_shape() -> None:
    arrays = qkv()
    scale, context = attention_scale(*arrays), sdpa(*arrays)
    context[0, 0, 3, 2] = np.nan
    assert scale.judge(context).kind == "broken"
    assert scale.judge(context).note == "context.0 has NaN where golden has none"
    for wrong in (context[:1], np.swapaxes(context, 1, 2)):
        verdict = scale.judge(wrong)
        assert verdict.kind == "broken"
        assert verdict.note == f"context.0 has shape {wrong.shape}, golden has (2, 4, 20, 8)"
    with pytest.raises(WrongShape, match=r"context\.0 has shape \(1, 4, 20, 8\), golden has \(2, 4, 20, 8\)"):
        scale.weigh(context[:1])


def test_a_control_that_overflows_is_left_out() -> None:
    """The largest float16 is 65504. The product of query and key exceeds it before the scale, but not after it."""
    query, key, value = (x.astype(np.float16) for x in qkv(size=16))
    query, key = np.full_like(query, 100), np.full_like(key, 50)
    scale = attention_scale(query, key, value)
    assert "root of the scale" in scale.controls
    assert "plain" not in scale.controls
    with pytest.raises(ValueError, match=r"every control overflows float16; golden's largest value is \d"):
        attention_scale(query * np.float16(300), key * np.float16(300), value, scale=1.0)

"""Compare the reference attention with torch's in float64, on shapes and masks that hypothesis generates."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch.nn.functional import scaled_dot_product_attention

from compare import reference_attention
from compare.testing import assert_attention_close

LIBRARIES = {"numpy": np.asarray, "torch": torch.as_tensor}


@st.composite
def problems(draw: st.DrawFn):
    """Generate query, key and value as NumPy float64, with grouped heads, and more or fewer keys than queries."""
    batch, key_heads, group = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    queries, keys, size = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.sampled_from([1, 4, 7]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    magnitude = draw(st.sampled_from([0.1, 1.0, 30.0]))
    query = magnitude * random.standard_normal((batch, key_heads * group, queries, size))
    key, value = (random.standard_normal((batch, key_heads, keys, size)) for _ in range(2))
    mask = random.random((batch, 1, queries, keys)) < 0.7
    mask[..., 0] = True  # torch gives NaN where a row sees no key; that case has a test of its own
    return query, key, value, mask


@pytest.mark.parametrize("library", LIBRARIES)
@settings(max_examples=60)
@given(problem=problems(), masked=st.sampled_from(["not", "boolean", "additive"]), scale=st.sampled_from([None, 0.3]))
def test_agrees_with_torch(library: str, problem, masked: str, scale: float | None) -> None:
    query, key, value, mask = problem
    additive = np.where(mask, 0.0, -np.inf)
    given_mask = {"not": None, "boolean": mask, "additive": additive}[masked]
    wrap = LIBRARIES[library]
    context, attention = reference_attention(
        wrap(query), wrap(key), wrap(value), mask=None if given_mask is None else wrap(given_mask), scale=scale
    )
    expected = scaled_dot_product_attention(
        *(torch.from_numpy(x) for x in (query, key, value)),
        attn_mask=None if given_mask is None else torch.from_numpy(given_mask),
        scale=scale,
        enable_gqa=True,
    )
    np.testing.assert_allclose(np.asarray(context), expected.numpy(), atol=1e-12)
    np.testing.assert_allclose(np.asarray(attention).sum(-1), 1.0, atol=1e-12)
    assert type(context) is type(wrap(query))


@settings(max_examples=40)
@given(problem=problems(), masked=st.booleans())
def test_torchs_own_is_off_by_rounding_alone_in_float32(problem, masked: bool) -> None:
    """Golden is the reference attention, so it is compared with an independent kernel in float32."""
    query, key, value, mask = [torch.from_numpy(x) for x in problem]
    arrays, seen = [x.float() for x in (query, key, value)], mask if masked else None
    context = scaled_dot_product_attention(*arrays, attn_mask=seen, enable_gqa=True)
    assert_attention_close(context, *arrays, mask=seen)


@pytest.mark.parametrize(("seed", "magnitude"), [(473, 1.0), (537, 1.0), (1169, 0.1)])
def test_a_few_numbers_are_no_reason_for_an_alarm(seed: int, magnitude: float) -> None:
    """On a CPU with AVX2, the errors were 2.2 to 2.7 times the largest error of the controls."""
    random = np.random.default_rng(seed)
    query = magnitude * random.standard_normal((1, 1, 1, 4))
    key, value = random.standard_normal((2, 1, 1, 9, 4))
    mask = torch.from_numpy(random.random((1, 1, 1, 9)) < 0.7)
    mask[..., 0] = True
    arrays = [torch.from_numpy(x).float() for x in (query, key, value)]
    assert_attention_close(scaled_dot_product_attention(*arrays, attn_mask=mask), *arrays, mask=mask)


@pytest.mark.parametrize("library", LIBRARIES)
@settings(max_examples=30)
@given(problem=problems())
def test_causal_ends_in_the_last_key(library: str, problem) -> None:
    query, key, value, _ = problem
    queries, keys = query.shape[2], key.shape[2]
    seen = np.tri(queries, keys, keys - queries, dtype=bool)
    wrap = LIBRARIES[library]
    arrays = [wrap(x) for x in (query, key, value)]
    causal, masked = (reference_attention(*arrays, **how) for how in ({"causal": True}, {"mask": wrap(seen)}))
    np.testing.assert_array_equal(np.asarray(causal[1]), np.asarray(masked[1]))
    assert (np.asarray(causal[1])[..., ~seen] == 0).all()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_row_that_sees_no_key_is_zero(library: str) -> None:
    wrap = LIBRARIES[library]
    x = wrap(np.ones((1, 1, 2, 4)))
    mask = wrap(np.array([[True, True], [False, False]]))
    context, attention = reference_attention(x, x, x, mask=mask)
    assert np.asarray(attention)[0, 0].tolist() == [[0.5, 0.5], [0.0, 0.0]]
    assert np.asarray(context)[0, 0, 1].tolist() == [0.0] * 4


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_precision_is_kept(library: str, dtype: str) -> None:
    x = LIBRARIES[library](np.ones((1, 2, 3, 4), dtype=dtype))
    for result in reference_attention(x, x, x, causal=True):
        assert str(result.dtype).endswith(dtype)


def test_huge_scores_do_not_overflow() -> None:
    query = np.full((1, 1, 1, 4), 1e200)
    key = np.stack([np.full(4, 1e100), np.full(4, -1e100)])[None, None]
    _, attention = reference_attention(query, key, key)
    assert attention.tolist() == [[[[1.0, 0.0]]]]


@pytest.mark.parametrize(
    "shapes",
    [
        ((1, 4, 2, 8), (1, 3, 2, 8), (1, 3, 2, 8)),  # heads no multiple
        ((1, 4, 2, 8), (1, 4, 2, 7), (1, 4, 2, 8)),  # head_dim
        ((1, 4, 2, 8), (1, 4, 3, 8), (1, 4, 2, 8)),  # keys
    ],
)
def test_shapes_that_do_not_fit_are_named(shapes) -> None:
    with pytest.raises(ValueError, match=rf"shapes do not fit: query \({shapes[0][0]}, {shapes[0][1]}, .*, key \(1, "):
        reference_attention(*(np.zeros(shape) for shape in shapes))

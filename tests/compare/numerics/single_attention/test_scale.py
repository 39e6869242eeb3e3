"""The scale of a single attention: clean kernels are rounding, and faults are found."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch.nn.functional import scaled_dot_product_attention

from compare import reference_attention, streaming_attention
from compare.numerics.single_attention.controls import ORDERS, Problem, control_contexts
from compare.numerics.single_attention.scale import attention_scale, numbers
from compare.results.verdict_limits import LIMITS
from tests.helpers.attention_inputs import drawn, qkv, sdpa

pytestmark = pytest.mark.filterwarnings("error")


@st.composite
def problems(draw: st.DrawFn):
    """Generate query, key and value in float32 with further arguments; causal only if every query sees a key."""
    batch, key_heads, group = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    queries, keys, size = draw(st.integers(1, 24)), draw(st.integers(1, 24)), draw(st.sampled_from([1, 2, 7, 16]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    magnitude = draw(st.sampled_from([0.1, 1.0, 10.0]))
    query = (magnitude * random.standard_normal((batch, key_heads * group, queries, size))).astype(np.float32)
    key, value = (random.standard_normal((batch, key_heads, keys, size)).astype(np.float32) for _ in range(2))
    seen = random.random((batch, 1, queries, keys)) < 0.7
    seen[..., 0] = True  # torch's attention can give NaN for a row that sees no key
    added = np.where(seen, random.standard_normal(seen.shape), -np.inf).astype(np.float32)
    mask = draw(st.sampled_from([None, seen, added]))
    return (query, key, value), mask, draw(st.booleans()) and keys >= queries


@settings(max_examples=150)
@given(problem=problems(), block=st.integers(1, 9))
def test_clean_kernels_are_rounding(problem, block: int) -> None:
    arrays, mask, causal = problem
    scale = attention_scale(*arrays, mask=mask, causal=causal)
    tensors, given_mask = [torch.from_numpy(x) for x in arrays], None if mask is None else torch.from_numpy(mask)
    whole, seen = given_mask, torch.from_numpy(_diagonal(arrays))
    if causal:
        whole = seen if mask is None else given_mask & seen if mask.dtype == bool else given_mask.where(seen, -np.inf)
    kernels = {
        "torch": scaled_dot_product_attention(*tensors, attn_mask=whole, enable_gqa=True),
        "NumPy": reference_attention(*arrays, mask=mask, causal=causal)[0],
        "streaming": streaming_attention(*tensors, mask=given_mask, causal=causal, block=block),
    }
    for name, context in kernels.items():
        verdict = scale.judge(context)
        assert verdict.kind == "rounding", (name, verdict)


def _diagonal(arrays) -> np.ndarray:
    queries, keys = arrays[0].shape[2], arrays[1].shape[2]
    return np.tri(queries, keys, keys - queries, dtype=bool)


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
@settings(max_examples=40)
@given(problem=problems())
def test_clean_kernels_of_half_the_width_are_rounding(precision, problem) -> None:
    """The kernels are torch's, and one that computes in float32 and rounds at the end."""
    arrays, mask, _ = problem
    narrow = [torch.from_numpy(x).to(precision) for x in arrays]
    given_mask = None if mask is None else torch.from_numpy(mask)
    if mask is not None and mask.dtype != bool:
        given_mask = given_mask.to(precision)
    scale = attention_scale(*narrow, mask=given_mask)
    wide = given_mask if given_mask is None or mask.dtype == bool else given_mask.float()
    for how, tensors in ((given_mask, narrow), (wide, [x.float() for x in narrow])):
        context = scaled_dot_product_attention(*tensors, attn_mask=how, enable_gqa=True).to(precision)
        assert scale.judge(context).kind == "rounding"


def _softmax_over_queries(query, key, value) -> np.ndarray:
    scores = query @ np.swapaxes(key, -1, -2) * query.shape[-1] ** -0.5
    weights = np.exp(scores - scores.max(-2, keepdims=True))
    return weights / weights.sum(-2, keepdims=True) @ value


FAULTS = {
    "scale off by 1 %": lambda q, k, v: reference_attention(q, k, v, causal=True, scale=1.01 * q.shape[-1] ** -0.5)[0],
    "mask shifted by one": lambda q, k, v: reference_attention(
        q, k, v, mask=np.tri(q.shape[2], k.shape[2], k.shape[2] - q.shape[2] + 1, dtype=bool)
    )[0],
    "no mask": lambda q, k, v: reference_attention(q, k, v)[0],
    "two heads swapped": lambda q, k, v: reference_attention(q, k, v, causal=True)[0][:, [1, 0, 2, 3]],
    "key and value swapped": lambda q, k, v: reference_attention(q, v, k, causal=True)[0],
    "softmax over another axis": _softmax_over_queries,
    "one value dropped": lambda q, k, v: reference_attention(q, k, v * (np.arange(20) != 3)[:, None], causal=True)[0],
    "computed in float16": lambda q, k, v: reference_attention(*(x.astype(np.float16) for x in (q, k, v)), causal=True)[
        0
    ],
}


@pytest.mark.parametrize("fault", FAULTS)
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), size=st.sampled_from([4, 8, 16]))
def test_faults_are_found(fault: str, seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    arrays = random.standard_normal((3, 2, 4, 20, size), dtype=np.float32)
    verdict = attention_scale(*arrays, causal=True).judge(FAULTS[fault](*arrays))
    assert verdict.kind == "different"
    assert verdict.multiple is not None
    assert verdict.multiple > 10


def test_a_fault_in_a_single_number_is_found_with_its_place() -> None:
    arrays = qkv()
    context = sdpa(*arrays)
    context[1, 2, 7, 3] += 3e-6
    scale = attention_scale(*arrays)
    gap = scale.weigh(context)
    evidence = gap.evidence
    assert gap.place == evidence.place == (1, 2, 7, 3)
    assert evidence.local == evidence.accumulated
    assert "max" in evidence.local.beyond(LIMITS.local)
    assert "rms" not in evidence.local.beyond(LIMITS.local)
    assert scale.judge(context).kind == "different"


def test_orders_and_nudges_make_the_floor() -> None:
    scale = attention_scale(*qkv(), causal=True)
    assert len(scale.controls) == len(ORDERS) + 4 == 14
    assert scale.distinct >= 10
    assert scale.golden.dtype == np.float64
    assert len(attention_scale(*(x.astype(np.float16) for x in qkv())).controls) == 13  # without NumPy


@pytest.mark.parametrize(("size", "nudged"), [(1, 64), (4, 16), (7, 10), (16, 4)])
def test_the_fewer_numbers_the_more_nudges(size: int, nudged: int) -> None:
    arrays = [drawn(seed, (1, 1, 1, size)) for seed in range(3)]
    assert len(attention_scale(*arrays).controls) == len(ORDERS) + nudged


def test_the_floor_of_one_number_is_exceeded_once_in_a_thousand() -> None:
    """For a single number, the quantile is that of the normal distribution, 3.29 standard deviations, to within 2 %."""
    query, key, value = drawn(0, (1, 1, 1, 1)), *(drawn(seed, (1, 1, 9, 1)) for seed in (1, 2))
    problem = Problem(*map(torch.from_numpy, (query, key, value)), None, 1.0, 0.0)
    golden = problem.double().solve()[0].numpy()
    errors = [numbers(run) - golden for _, run in control_contexts(problem)]
    floor = attention_scale(query, key, value).floor
    assert floor.rms == pytest.approx(3.29 * np.sqrt(np.mean(np.square(errors))), rel=0.02)
    assert floor.max == floor.rms


def test_limits_can_be_scaled() -> None:
    arrays = qkv()
    scale = attention_scale(*arrays)
    assert scale.judge(sdpa(*arrays), limits=LIMITS.scaled(1e-3)).kind == "different"


def test_grouped_heads_and_other_numbers_of_keys_than_queries() -> None:
    arrays = qkv(heads=6, key_heads=2, queries=5, keys=31)
    for causal in (False, True):
        mask = torch.from_numpy(_diagonal(arrays)) if causal else None
        scale = attention_scale(*arrays, causal=causal)
        assert scale.judge(sdpa(*arrays, attn_mask=mask)).kind == "rounding"
    tiled = [arrays[0], *(np.tile(x, (1, 3, 1, 1)) for x in arrays[1:])]  # groups interleaved, a common mistake
    assert scale.judge(reference_attention(*tiled, causal=True)[0]).kind == "different"


def test_scale_and_softcap_are_the_references() -> None:
    arrays = qkv()
    how = {"scale": -0.4, "softcap": 3.0}
    scale = attention_scale(*arrays, **how)
    assert scale.judge(streaming_attention(*arrays, **how, block=4)).kind == "rounding"
    assert scale.judge(streaming_attention(*arrays, scale=-0.4, block=4)).kind == "different"


def test_arrays_may_be_read_only_reversed_and_part_of_a_graph() -> None:
    arrays = [x[..., ::-1] for x in qkv()]
    for x in arrays:
        x.flags.writeable = False
    scale = attention_scale(*arrays)
    tensors = [torch.from_numpy(x.copy()).requires_grad_() for x in arrays]
    assert scale.judge(scaled_dot_product_attention(*tensors)).kind == "rounding"
    np.testing.assert_array_equal(attention_scale(*tensors).golden, scale.golden)

"""Test every node case of ONNX's Attention operator, in NumPy and in Torch."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from compare.attention.onnx_operator import attention_operator
from compare.battery.kernels.torch_attention import to_numpy, to_torch
from compare.battery.node_cases import load_node_cases, mismatch, operator_outputs
from compare.testing import assert_attention_close

CASES = {name: case for name, case in load_node_cases().items() if not case.expanded}


def test_the_cases_are_all_there() -> None:
    assert len(CASES) == 93


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("name", CASES)
def test_node_case(name: str, library: str) -> None:
    wrap, back = (to_torch, to_numpy) if library == "torch" else (np.asarray, np.asarray)
    found = operator_outputs(CASES[name], wrap)
    assert mismatch([back(output) for output in found], CASES[name]) is None


FLOAT32_CASES = [
    name
    for name, case in CASES.items()
    if set(case.feeds) == {"Q", "K", "V"}
    and not set(case.call[2]) - {"is_causal", "scale", "softcap"}
    and case.outputs[0].dtype == np.float32
    and case.outputs[0].ndim == 4
]


@pytest.mark.parametrize("name", FLOAT32_CASES)
def test_outputs_of_onnx_are_rounding(name: str) -> None:
    """The outputs in ONNX's cases and those of the operator differ from golden only by rounding."""
    case = CASES[name]
    _, named, attributes = case.call
    inputs = [named[n] for n in "QKV"]
    how = {n: attributes[n] for n in attributes if n != "is_causal"}
    if attributes.get(
        "is_causal"
    ):  # the operator's diagonal begins at the first key, the reference's ends at the last key
        how["mask"] = np.tri(inputs[0].shape[2], inputs[1].shape[2], dtype=bool)
    assert_attention_close(case.outputs[0], *inputs, **how)
    assert_attention_close(attention_operator(*inputs, **attributes).y, *inputs, **how)


def test_there_are_such_cases() -> None:
    assert len(FLOAT32_CASES) >= 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"past_key": np.zeros((1, 1, 2, 4))}, "only one of past_key and past_value was given; give both or neither"),
        (
            {name: np.zeros((1, 1, 2, 4)) for name in ("past_key", "past_value")} | {"nonpad_kv_seqlen": np.array([1])},
            "past_key and nonpad_kv_seqlen were both given; they are two ways to cache, give one",
        ),
        ({"softmax_precision": 7}, r"softmax_precision is 7; it must be one of 1 \(float32\), 10 \(float16\)"),
    ],
)
def test_what_the_specification_rules_out(arguments, message: str) -> None:
    x = np.zeros((1, 1, 2, 4))
    with pytest.raises(ValueError, match=message):
        attention_operator(x, x, x, **arguments)


def test_packed_heads_need_their_numbers() -> None:
    x = np.zeros((1, 2, 8))
    with pytest.raises(ValueError, match=r"query \(1, 2, 8\) has its heads packed: give q_num_heads and kv_num_heads"):
        attention_operator(x, x, x)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@given(
    seed=st.integers(0, 2**32),
    queries=st.integers(1, 7),
    past=st.integers(0, 5),
    causal=st.integers(0, 1),
    left=st.integers(-1, 4),
    right=st.integers(-1, 4),
    group=st.integers(1, 3),
)
@settings(max_examples=60)
def test_windows_and_caches_agree_with_torchs_own(library, seed, queries, past, causal, left, right, group) -> None:
    """Compare with scaled_dot_product_attention in float64, with a mask that is built position by position."""
    random = np.random.default_rng(seed)
    keys = past + queries
    query = random.standard_normal((2, 2 * group, queries, 4))
    key, value = (random.standard_normal((2, 2, keys, 4)) for _ in range(2))
    seen = np.array(
        [
            [
                (not causal or j <= i + past)
                and (left < 0 or j >= i + past - left)
                and (right < 0 or j <= i + past + right)
                for j in range(keys)
            ]
            for i in range(queries)
        ]
    )
    wrap = torch.from_numpy if library == "torch" else np.asarray
    cache = {"past_key": wrap(key[:, :, :past]), "past_value": wrap(value[:, :, :past])} if past else {}
    found = attention_operator(
        wrap(query), wrap(key[:, :, past:]), wrap(value[:, :, past:]),
        is_causal=causal, left_window_size=left, right_window_size=right, qk_matmul_output_mode=3, **cache,
    )  # fmt: skip
    expected = torch.nn.functional.scaled_dot_product_attention(
        *(torch.from_numpy(x) for x in (query, key, value)), attn_mask=torch.from_numpy(seen), enable_gqa=True
    )
    np.testing.assert_allclose(np.asarray(found.y), expected.numpy(), atol=1e-12)
    assert (np.asarray(found.qk_matmul_output)[..., ~seen] == 0).all()
    np.testing.assert_array_equal(np.asarray(found.present_key), key)

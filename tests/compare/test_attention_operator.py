"""Every node case of ONNX's Attention operator, in NumPy and in Torch."""

import warnings

import hypothesis.strategies as st
import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from onnx import numpy_helper

from compare.attention_operator import attention_operator
from compare.testing import assert_attention_close

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from onnx.backend.test.loader import load_model_tests

    CASES = {
        case.name.removeprefix("test_"): case
        for case in load_model_tests(kind="node")
        if case.name.startswith("test_attention_") and not case.name.endswith("_expanded")
    }

#: Cases that do not pass, each with its reason. At most 3 are allowed.
KNOWN_FAILURES: dict[str, str] = {}

INPUTS = {"Q": "query", "K": "key", "V": "value"}
OUTPUTS = {"Y": "y"}


def test_the_cases_are_all_there() -> None:
    assert len(CASES) == 93
    assert len(KNOWN_FAILURES) <= 3
    assert set(KNOWN_FAILURES) <= set(CASES)


def to_torch(array: np.ndarray) -> torch.Tensor:
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array.copy())


def to_numpy(array) -> np.ndarray:
    """As float64, where the last digits of every precision have room."""
    if isinstance(array, torch.Tensor):
        array = array.double().numpy()
    return np.asarray(array).astype(np.float64)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("name", CASES)
def test_node_case(name: str, library: str) -> None:
    case = CASES[name]
    (node,) = case.model.graph.node
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    for inputs, expected in case.data_sets:
        arrays = [x if isinstance(x, np.ndarray) else numpy_helper.to_array(x) for x in inputs]
        present = dict(zip([i for i in node.input if i], arrays, strict=True))
        wrap = to_torch if library == "torch" else np.asarray
        found = attention_operator(**{INPUTS.get(n, n): wrap(x) for n, x in present.items()}, **attributes)
        names = [output for output in node.output if output]
        for output, truth in zip(names, expected, strict=True):
            actual = getattr(found, OUTPUTS.get(output, output))
            truth = truth if isinstance(truth, np.ndarray) else numpy_helper.to_array(truth)
            assert str(actual.dtype).removeprefix("torch.") == truth.dtype.name
            tolerance = {"rtol": case.rtol, "atol": case.atol}
            np.testing.assert_allclose(to_numpy(actual), to_numpy(truth), **tolerance, err_msg=output)


FLOAT32_CASES = [
    name
    for name, case in CASES.items()
    if {"Q", "K", "V"} == set(case.model.graph.node[0].input) - {""}
    and not {a.name for a in case.model.graph.node[0].attribute} - {"is_causal", "scale", "softcap"}
    and case.data_sets[0][1][0].dtype == np.float32
    and case.data_sets[0][1][0].ndim == 4
]


@pytest.mark.parametrize("name", FLOAT32_CASES)
def test_outputs_of_onnx_are_rounding(name: str) -> None:
    """What ONNX's own implementation wrote into its cases lies within rounding of golden, and so does the operator."""
    case = CASES[name]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in case.model.graph.node[0].attribute}
    how = {n: attributes[n] for n in attributes if n != "is_causal"}
    for inputs, (expected, *_) in case.data_sets:
        if attributes.get(
            "is_causal"
        ):  # the operator's diagonal begins in the first key, the reference's ends in the last
            how["mask"] = np.tri(inputs[0].shape[2], inputs[1].shape[2], dtype=bool)
        assert_attention_close(expected, *inputs, **how)
        assert_attention_close(attention_operator(*inputs, **attributes).y, *inputs, **how)


def test_there_are_such_cases() -> None:
    assert len(FLOAT32_CASES) >= 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"past_key": np.zeros((1, 1, 2, 4))}, "past_key and past_value go together, one was given"),
        (
            {name: np.zeros((1, 1, 2, 4)) for name in ("past_key", "past_value")} | {"nonpad_kv_seqlen": np.array([1])},
            "past_key and nonpad_kv_seqlen are two ways to cache, both were given",
        ),
        ({"softmax_precision": 7}, r"softmax_precision is 7; it takes 1 \(float32\), 10 \(float16\)"),
    ],
)
def test_what_the_specification_rules_out(arguments, message: str) -> None:
    x = np.zeros((1, 1, 2, 4))
    with pytest.raises(ValueError, match=message):
        attention_operator(x, x, x, **arguments)


def test_packed_heads_need_their_numbers() -> None:
    x = np.zeros((1, 2, 8))
    with pytest.raises(ValueError, match=r"query \(1, 2, 8\) has its heads packed: q_num_heads and kv_num_heads say"):
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
    """Against scaled_dot_product_attention in float64 under a mask written out position by position."""
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
    np.testing.assert_allclose(to_numpy(found.y), expected.numpy(), atol=1e-12)
    assert (to_numpy(found.qk_matmul_output)[..., ~seen] == 0).all()
    np.testing.assert_array_equal(to_numpy(found.present_key), key)

"""Probabilities by identity values are those of the kernel, on shapes, masks and grouped heads that are drawn."""

from collections.abc import Callable
from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from compare.attention.identity import probabilities_by_identity
from compare.attention.torch_operators import CalledOperators
from compare.battery.inputs import Inputs
from compare.battery.kernels.onnx_graphs import attention_graph
from compare.battery.kernels.onnx_runtime import Attention
from tests.helpers.attention_inputs import qkv
from tests.helpers.graphs import run_model

FLASH = "aten._scaled_dot_product_flash_attention_for_cpu.default"


class Drawn(NamedTuple):
    """The inputs of one attention in torch."""

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    causal: bool

    def context(self, values: Tensor) -> Tensor:
        """The context that sdpa gives to some values."""
        return scaled_dot_product_attention(
            self.query, self.key, values, attn_mask=self.mask, is_causal=self.causal, enable_gqa=True
        )


@st.composite
def drawn(draw: Callable) -> Drawn:
    """Query, key and value in the order of axes that transformers has in memory, and a mask that hides no whole row."""
    keys, group, key_heads = (draw(st.integers(1, most)) for most in (40, 3, 2))
    size = draw(st.sampled_from([4, 7, 8, 16]))
    masking = draw(st.sampled_from(["none", "causal", "mask"]))
    queries = keys if masking == "causal" else draw(st.integers(1, 20))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    lengths = (queries, key_heads * group), (keys, key_heads), (keys, key_heads)
    query, key, value = (torch.randn(2, *shape, size, generator=generator).transpose(1, 2) for shape in lengths)
    mask = torch.rand(2, 1, queries, keys, generator=generator) < 0.6
    mask[..., 0] = True
    return Drawn(query * 3, key, value, mask if masking == "mask" else None, masking == "causal")


@settings(max_examples=60)
@given(drawn())
def test_they_are_the_probabilities_that_the_math_kernel_forms(one: Drawn) -> None:
    added = None if one.mask is None else torch.where(one.mask, 0.0, -torch.inf)
    _, formed = torch.ops.aten._scaled_dot_product_attention_math(
        one.query, one.key, one.value, added, is_causal=one.causal, enable_gqa=True
    )
    with sdpa_kernel(SDPBackend.MATH):
        assert torch.equal(probabilities_by_identity(one.context, one.value), formed)


@settings(max_examples=60)
@given(drawn(), st.data())
def test_they_are_what_the_values_of_the_flash_kernel_imply(one: Drawn, data: st.DataObject) -> None:
    """Values that are powers of two in one row of each column give those multiples of columns of the probabilities."""
    probabilities = probabilities_by_identity(one.context, one.value)
    keys, size = one.value.shape[-2:]
    rows = [data.draw(st.integers(0, keys - 1)) for _ in range(size)]
    powers = torch.tensor([data.draw(st.sampled_from([-4.0, 0.5, 1.0, 1024.0])) for _ in range(size)])
    values = torch.zeros_like(one.value)
    values[..., rows, range(size)] = powers
    assert torch.equal(one.context(values), probabilities[..., rows] * powers)


@settings(max_examples=60)
@given(drawn())
def test_the_values_times_them_are_the_context_of_the_flash_kernel(one: Drawn) -> None:
    """The difference is within the bound of rounding for a sum over the keys (Higham 2002, section 3.1)."""
    probabilities = probabilities_by_identity(one.context, one.value).double()
    value = one.value.double().repeat_interleave(one.query.shape[1] // one.key.shape[1], dim=1)
    roundings = (one.key.shape[2] + 8) * 2**-24
    bound = roundings * (probabilities @ value.abs())
    assert ((probabilities @ value - one.context(one.value)).abs() <= bound).all()
    assert ((probabilities.sum(-1) - 1).abs() <= roundings).all()


@settings(max_examples=20)
@given(drawn())
def test_every_call_is_of_the_flash_kernel(one: Drawn) -> None:
    kernels = []

    def attend(values: Tensor) -> Tensor:
        assert values.shape == one.value.shape
        assert values.stride() == one.value.stride() or 1 in values.shape
        with CalledOperators() as called:
            context = one.context(values)
        kernels.append(called.attention_kernels)
        return context

    with torch.inference_mode():
        probabilities_by_identity(attend, one.value)
    assert kernels == [{FLASH}] * -(-one.key.shape[2] // one.key.shape[3])


@pytest.mark.parametrize("causal", [False, True])
def test_they_are_those_that_the_operator_of_onnx_runtime_returns(causal: bool) -> None:
    query, key, value = qkv(heads=4, key_heads=2)
    inputs = Inputs(query, key, value, causal=causal)
    model, feeds = attention_graph(inputs)
    node = model.graph.node[0]
    node.output.extend(["", "", "probabilities"])
    node.attribute.add(name="qk_matmul_output_mode", type="INT", i=3)
    model.graph.output.add(name="probabilities")
    _, expected = run_model(model, feeds)
    kernel = Attention(threads=1)
    found = probabilities_by_identity(lambda values: kernel.attend(Inputs(query, key, values, causal=causal)), value)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-7, rtol=0)

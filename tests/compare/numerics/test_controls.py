"""Test that controls differ from golden only by rounding, and from each other in some bits."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.pytorch_utils import Conv1D

from compare.numerics.controls import CONTROLS, _Ordered, control_runs
from compare.numerics.golden import float64_runs
from compare.numerics.summation_orders import permuted_product, sequential_product, sequential_total, split_product
from export.taps import run_tapped, tap_names
from tests.helpers.tiny import USUAL


@pytest.mark.parametrize("model_type", USUAL)
def test_every_control_is_the_model_within_rounding(tiny, ids_and_mask, model_type: str) -> None:
    model = tiny(model_type)
    ids, mask = map(torch.from_numpy, ids_and_mask)
    golden, _ = float64_runs(copy.deepcopy(model).double(), ids, mask)
    logits = set()
    for name, run in control_runs(model, ids, mask):
        assert list(run) == tap_names(2)
        assert {tensor.dtype for tensor in run.values()} == {torch.float32}
        real = mask.bool()
        difference = (run["logits"] - golden["logits"])[real]
        assert 0 < difference.square().mean().sqrt() < 2e-6 * golden["logits"][real].square().mean().sqrt(), name
        logits.add(run["logits"].numpy().tobytes())
    assert len(logits) >= 6


def test_the_plain_control_is_transformers_own_attention(tiny, ids_and_mask) -> None:
    model, (ids, mask) = tiny(), map(torch.from_numpy, ids_and_mask)
    _, plain = next(iter(control_runs(model, ids, mask)))
    eager = run_tapped(model, ids, mask, "eager")
    assert all(torch.equal(plain[name], eager[name]) for name in eager)


def test_a_control_leaves_no_trace_in_the_model(tiny, ids_and_mask) -> None:
    model, (ids, mask) = tiny(), list(map(torch.from_numpy, ids_and_mask))
    before = run_tapped(model, ids, mask, "eager")["logits"]
    list(control_runs(model, ids, mask))
    assert torch.equal(run_tapped(model, ids, mask, "eager")["logits"], before)


PRODUCTS = [permuted_product(0), permuted_product(1), split_product(4), sequential_product]


@pytest.mark.parametrize("product", PRODUCTS)
@given(rows=st.integers(1, 5), size=st.integers(1, 40), columns=st.integers(1, 7), batched=st.booleans())
def test_products_are_products(product, rows: int, size: int, columns: int, batched: bool) -> None:
    generator = torch.Generator().manual_seed(size)
    shape = (2, 3) if batched else ()
    left = torch.randn((*(shape or (2,)), rows, size), generator=generator, dtype=torch.float64)
    right = torch.randn((*shape, size, columns), generator=generator, dtype=torch.float64)
    torch.testing.assert_close(product(left, right), left @ right, rtol=1e-12, atol=1e-12)


def test_sequential_sums_go_from_first_to_last() -> None:
    """Adding 1 to 2**24 in float32 changes nothing, so a thousand ones are lost after it, but not before it."""
    big = torch.tensor([2.0**24, *[1.0] * 1000])
    assert sequential_total(big).item() == 2.0**24
    assert sequential_total(big.flip(0)).item() == 2.0**24 + 1000
    ones = torch.ones((1001, 1))
    assert sequential_product(big[None], ones).item() == 2.0**24
    assert sequential_product(big[None, None], ones[None]).item() == 2.0**24


@pytest.mark.parametrize("conv1d", [False, True])
def test_one_control_begins_sums_with_the_bias_and_the_others_end_with_it(conv1d: bool) -> None:
    """A bias of 2**24 swallows the ones that are added to it one at a time, but not their sum.

    Controls with torch's own product are left out: what they do with the bias is up to torch.
    """
    layer = Conv1D(1, 1000) if conv1d else torch.nn.Linear(1000, 1)
    torch.nn.init.ones_(layer.weight)
    torch.nn.init.constant_(layer.bias, 2.0**24)
    sums = {}
    for control in [each for each in CONTROLS if each.product is not torch.matmul]:
        with torch.no_grad(), _Ordered(control):
            sums[control.name] = layer(torch.ones(1, 1000)).item()
    assert sums.pop("sequential sums, bias first") == 2.0**24
    assert {*sums.values()} == {2.0**24 + 1000}


def test_the_controls_have_names_of_their_own() -> None:
    assert len({control.name for control in CONTROLS}) == len(CONTROLS) >= 8
    assert np.all([control.name for control in CONTROLS])

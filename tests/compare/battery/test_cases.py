"""The cases of the battery: reproducible, as hard as they claim, and documented."""

from pathlib import Path

import numpy as np
import pytest

from compare.battery.cases import CASES, cases_named, make_inputs
from compare.battery.kernels.registry import BUILT_IN, kernels_named
from export.errors import BadInput


@pytest.mark.parametrize("name", CASES)
def test_every_case_makes_valid_inputs_from_its_seed(name: str) -> None:
    inputs, again, other = make_inputs(name), make_inputs(name), make_inputs(name, seed=1)
    batch, heads, queries, size = inputs.query.shape
    key_heads, keys = inputs.key.shape[1:3]
    assert heads % key_heads == 0
    assert inputs.key.shape == (batch, key_heads, keys, size)
    assert inputs.value.shape[:3] == (batch, key_heads, keys)
    for array, same in zip(
        (inputs.query, inputs.key, inputs.value), (again.query, again.key, again.value), strict=True
    ):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
        np.testing.assert_array_equal(array, same)
    assert not np.array_equal(inputs.value, other.value)
    if inputs.mask is not None:
        assert inputs.mask.dtype in (np.dtype(bool), np.dtype(np.float32))
        assert np.broadcast_shapes(inputs.mask.shape, (batch, heads, queries, keys)) == (batch, heads, queries, keys)
        np.testing.assert_array_equal(inputs.mask, again.mask)
    assert CASES[name].summary


def test_the_hard_cases_are_hard(weighers) -> None:
    """The inputs of a case have the property that its summary states."""
    assert weighers("masked-rows").empty.sum() == weighers("inf-mask").empty.sum() == 3 * 2 * 4
    assert weighers("nan-mask").nan.sum() == 2 * 4
    assert not weighers("lowest-mask").empty.any()
    golden = weighers("one-hot").scale.golden
    values = make_inputs("one-hot").value
    assert all(np.isin(golden[b, h], values[b, h]).all() for b in range(2) for h in range(4))
    tiny = np.finfo(np.float32).tiny
    assert np.abs(make_inputs("subnormals").value).max() < tiny
    assert np.exp(make_inputs("faint-weights").mask[:, 1:].max() + 1) < tiny
    assert np.abs(weighers("cancellation").scale.golden).max() < 2


def test_unknown_names_have_near_matches() -> None:
    with pytest.raises(BadInput, match=r"^unknown kernel 'torch-mat'; did you mean torch-math"):
        kernels_named(["torch-mat"])
    with pytest.raises(BadInput, match=r"^unknown case 'soft-cop'; did you mean soft-cap\?"):
        cases_named(["soft-cop"])


def test_the_page_names_every_case_and_kernel() -> None:
    page = (Path(__file__).parents[3] / "docs" / "battery.md").read_text()
    for case in CASES.values():
        assert f"| `{case.name}` | {case.summary} |" in page
    assert all(spec.name in page for spec in BUILT_IN)

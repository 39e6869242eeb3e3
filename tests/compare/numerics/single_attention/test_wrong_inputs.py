"""Precisions, shapes and masks that are refused, because no scale can be made for them."""

import numpy as np
import pytest

from compare.numerics.single_attention.scale import attention_scale
from tests.helpers.attention_inputs import qkv

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.astype(np.float64), r"value is float64: golden is in float64 too"),
        (lambda x: x.astype(np.int64), r"query is int64, .*; all three must be float32, all float16 or all bfloat16"),
        (lambda x: x[0], r"query has shape \(4, 20, 8\); it must be \(batch, heads, sequence, head_dim\), with no"),
        (lambda x: x[:, :, :0], r"query has shape \(2, 4, 0, 8\)"),
        (lambda x: np.where(x > 2, np.inf, x), r"query has \d+ values that are not finite"),
    ],
)
def test_inputs_that_no_scale_can_be_made_for(change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attention_scale(*(change(x) for x in qkv()))


def test_precisions_that_differ_and_shapes_that_do_not_fit() -> None:
    query, key, value = qkv()
    with pytest.raises(ValueError, match="query is float32, key is float16, value is float32; all three"):
        attention_scale(query, key.astype(np.float16), value)
    with pytest.raises(ValueError, match="shapes do not fit: query"):
        attention_scale(query, key[:, :, :5], value)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((20, 19), bool), r"mask has shape \(20, 19\), which does not broadcast to \(2, 4, 20, 20\)"),
        (np.ones((3, 1, 1, 20, 20), bool), r"mask has shape \(3, 1, 1, 20, 20\), which does not"),
        (np.full((20, 20), np.nan), r"mask has 400 values that are NaN or \+inf; its values must be finite, or -inf"),
        (np.full((20, 20), np.inf), r"mask has 400 values that are NaN or \+inf"),
    ],
)
def test_masks_that_do_not_fit_are_refused(mask: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attention_scale(*qkv(), mask=mask)

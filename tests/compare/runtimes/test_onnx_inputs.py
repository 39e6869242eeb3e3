"""Test that a graph's inputs are made from ids and mask, in its declared types, or that it is refused."""

import numpy as np
import pytest

from compare.runtimes.onnx_inputs import GraphInput, feed
from export.errors import BadInput, CannotRun

IDS = np.zeros((2, 5), dtype=np.int64)


@pytest.mark.parametrize(
    ("wanted", "error", "message"),
    [
        (
            GraphInput("pixel_values", "float32", None),
            CannotRun,
            "has an input pixel_values, which cannot be made from ids",
        ),
        (
            GraphInput("input_ids", "unknown", None),
            CannotRun,
            "declares input_ids as unknown, a type that NumPy does not have",
        ),
        (
            GraphInput("past.0", "float32", (2, None, 4, None, 16)),
            CannotRun,
            "declares past.0 with shape (2, any, 4, any, 16)",
        ),
        (
            GraphInput("past_key_values.0.key", "float32", (None, 4, 8, 16)),
            BadInput,
            "declares past_key_values.0.key with shape (any, 4, 8, 16), but this input has (2, 4, 0, 16)",
        ),
        (GraphInput("position_ids", "int64", (1, 8)), BadInput, "has (2, 5); set batch to 1 and sequence to 8"),
    ],
)
def test_what_cannot_be_fed(wanted: GraphInput, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as found:
        feed([wanted], IDS, np.ones_like(IDS))
    assert message in str(found.value)


def test_what_is_fed_has_the_types_that_are_declared() -> None:
    wanted = [GraphInput("use_cache_branch", "bool", (1,)), GraphInput("attention_mask", "float16", None)]
    found = feed(wanted, IDS, np.ones_like(IDS))
    assert {name: (array.dtype, array.shape) for name, array in found.items()} == {
        "use_cache_branch": (np.dtype(bool), (1,)),
        "attention_mask": (np.dtype(np.float16), (2, 5)),
    }
    assert not found["use_cache_branch"].any()


def test_positions_go_on_after_the_past() -> None:
    """The graph has inputs for positions and for the branch that reads a past."""
    ids, mask = np.zeros((2, 1), dtype=np.int64), np.ones((2, 4), dtype=np.int64)
    wanted = [GraphInput("position_ids", "int64", (None, None)), GraphInput("use_cache_branch", "bool", (1,))]
    fed = feed(wanted, ids, mask)
    assert fed["position_ids"].tolist() == [[3], [3]]
    assert fed["use_cache_branch"].tolist() == [True]
    assert feed(wanted, ids, mask[:, :1])["use_cache_branch"].tolist() == [False]

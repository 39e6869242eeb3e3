"""Test which heads are shown, and which part of their attention."""

import numpy as np

from compare.numerics.diagnostics.heads import LARGEST_MAP, choose_heads, head_map
from compare.results.circumstances import Head


def trace_of(*heads: np.ndarray) -> dict[str, np.ndarray]:
    return {"attention.0": np.stack(heads[:2])[None], "attention.1": np.stack(heads[2:])[None], "logits": np.zeros(1)}


def test_the_sharpest_the_middle_and_the_flattest() -> None:
    sharp, flat, mixed, other = np.eye(4), np.full((4, 4), 0.25), np.eye(4) * 0.5 + 0.125, np.eye(4) * 0.2 + 0.2
    trace = trace_of(mixed, sharp, other, flat)
    assert choose_heads(trace) == [
        Head(layer=0, head=1, name="layer 0 head 1 (sharpest)"),
        Head(layer=1, head=0, name="layer 1 head 0 (middle)"),
        Head(layer=1, head=1, name="layer 1 head 1 (flattest)"),
    ]


def test_a_model_with_two_heads_has_two() -> None:
    trace = {"attention.0": np.stack([np.eye(2), np.full((2, 2), 0.5)])[None]}
    assert [head.name for head in choose_heads(trace)] == ["layer 0 head 0 (sharpest)", "layer 0 head 1 (flattest)"]
    assert choose_heads({"logits": np.zeros(1)}) == []


def test_a_map_is_cut_to_what_can_be_read() -> None:
    size = LARGEST_MAP + 10
    attention = np.random.default_rng(0).random((2, 3, size, size)).astype(np.float32)
    head = Head(layer=4, head=2, name="layer 4 head 2 (middle)")
    found = head_map({"attention.4": attention}, head)
    assert found is not None
    np.testing.assert_array_equal(found, attention[0, 2, :LARGEST_MAP, :LARGEST_MAP])
    assert head_map({}, head) is None

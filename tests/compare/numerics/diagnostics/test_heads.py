"""Test which heads are shown, and which part of the attention of all heads is kept."""

import numpy as np

from compare.numerics.diagnostics.heads import (
    LARGEST_MAP,
    MOST_NUMBERS,
    choose_heads,
    difference_maps,
    golden_maps,
    shown_positions,
)
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


def test_maps_are_cut_to_what_can_be_read() -> None:
    size = LARGEST_MAP + 10
    golden, run = np.random.default_rng(0).random((2, 2, 3, size, size))
    (maps,) = golden_maps({"attention.4": golden}).values()
    np.testing.assert_array_equal(maps, golden[0, :, :LARGEST_MAP, :LARGEST_MAP].astype(np.float16))
    differences = difference_maps({"attention.4": run.astype(np.float32)}, {"attention.4": golden})
    assert list(differences) == ["attention.4", "attention.4/largest"]
    found = differences["attention.4"] * differences["attention.4/largest"][:, None, None]
    expected = (run.astype(np.float32) - golden)[0, :, :LARGEST_MAP, :LARGEST_MAP]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert difference_maps({}, {"attention.4": golden}) == {}
    assert golden_maps({"logits": golden}) == {}


def test_a_model_with_very_many_heads_has_smaller_maps() -> None:
    golden = {f"attention.{layer}": np.zeros((1, 64, 128, 128), dtype=np.float16) for layer in range(32)}
    shown = shown_positions(golden)
    assert shown < 128
    assert 32 * 64 * shown**2 <= MOST_NUMBERS < 32 * 64 * (shown + 1) ** 2


def test_a_difference_of_nan_stays_and_does_not_hide_the_others() -> None:
    golden = np.full((1, 2, 4, 4), 0.25)
    run = golden.copy()
    run[0, 0, 1, 1], run[0, 0, 2, 2], run[0, 0, 3, 3] = np.nan, np.inf, 0.75
    maps = difference_maps({"attention.0": run}, {"attention.0": golden})
    assert np.isnan(maps["attention.0"][0, 1, 1])
    assert np.isposinf(maps["attention.0"][0, 2, 2])
    assert list(maps["attention.0/largest"]) == [0.5, 1.0]
    assert maps["attention.0"][0, 3, 3] == 1.0
    assert not maps["attention.0"][1].any()

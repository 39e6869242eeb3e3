"""Test that traces are read unchanged as memory-mapped arrays, and that incomplete ones are refused."""

from pathlib import Path

import numpy as np
import pytest

from compare.traces import Trace, forget, same_bits, write_trace


def test_round_trip(tmp_path: Path) -> None:
    tensors = {"logits": np.arange(6.0).reshape(1, 2, 3), "attention.0": np.ones((1, 1, 2, 2), np.float32)}
    write_trace(tmp_path / "run", tensors, {"facts": {"torch": "1"}})
    trace = Trace(tmp_path / "run")
    assert list(trace) == list(tensors)
    assert len(trace) == 2
    assert trace.facts["facts"] == {"torch": "1"}
    assert isinstance(trace["logits"], np.memmap)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(trace[name], tensor)
    with pytest.raises(KeyError):
        trace["query.0"]


def test_half_precision_widens_exactly(tmp_path: Path) -> None:
    half = np.array([1.0, 65504.0, 6e-8, -0.1], np.float16)
    write_trace(tmp_path, {"x": half})
    assert Trace(tmp_path)["x"].dtype == np.float32
    np.testing.assert_array_equal(Trace(tmp_path)["x"].astype(np.float16), half)


def test_a_trace_that_was_cut_short_is_none(tmp_path: Path) -> None:
    write_trace(tmp_path, {"x": np.zeros(1)})
    (tmp_path / "facts.json").unlink()
    with pytest.raises(FileNotFoundError):
        Trace(tmp_path)
    write_trace(tmp_path / "other", {"x": np.zeros(1)})
    assert not same_bits(Trace(tmp_path / "other"), tmp_path)


def test_some_tensors_alone(tmp_path: Path) -> None:
    write_trace(tmp_path, {"a": np.ones(2), "b": np.zeros(3), "c": np.ones(1)})
    some = Trace(tmp_path).only(["c", "a"])
    assert {name: tensor.shape for name, tensor in some.items()} == {"c": (1,), "a": (2,)}
    with pytest.raises(KeyError):
        some["b"]
    assert len(Trace(tmp_path)) == 3


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    write_trace(tmp_path, {"a": np.ones(2), "b": np.zeros(3)}, {"facts": {"x": "1"}})
    left = forget(tmp_path, ["a"])
    assert list(left) == ["b"]
    assert left.facts["facts"] == {"x": "1"}
    assert not (tmp_path / "a.npy").exists()

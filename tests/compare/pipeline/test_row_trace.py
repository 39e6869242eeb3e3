"""Test which tensors of a trace are compared with golden."""

from pathlib import Path

import numpy as np
import pytest

from compare.numerics.gaps import WrongShape
from compare.pipeline.context import ONNX_FILE, Row
from compare.pipeline.row_trace import fitting
from compare.runtimes.registry import GRAPH_RUNTIME, spec_of
from compare.traces import Trace, write_trace

OUTPUT = "last_hidden_state"


def traced(folder: Path, **tensors: tuple[int, ...]) -> Trace:
    """Write a trace with tensors of these shapes."""
    write_trace(folder, {name.replace("_of_", "."): np.zeros(shape) for name, shape in tensors.items()})
    return Trace(folder)


def test_what_was_located_and_does_not_fit_golden_is_left_out(tmp_path: Path) -> None:
    """A tensor of another shape, and one that golden does not have, because the model exposes less than its graph."""
    golden = traced(tmp_path / "golden", query_of_0=(1, 2, 3, 4), last_hidden_state=(1, 3, 8))
    shapes = {"query_of_0": (1, 2, 3, 5), "attention_of_0": (1, 2, 3, 3), OUTPUT: (1, 3, 8)}
    found = traced(tmp_path / "found", **shapes)
    located = ("query.0", "attention.0")
    row = Row(ONNX_FILE, spec_of(GRAPH_RUNTIME), tmp_path, named=True, found=located)
    assert list(fitting(found, row, golden)) == [OUTPUT]


def test_a_wrong_shape_of_what_was_named_is_an_error(tmp_path: Path) -> None:
    golden = traced(tmp_path / "golden", last_hidden_state=(1, 3, 8))
    row = Row(ONNX_FILE, spec_of(GRAPH_RUNTIME), tmp_path, named=True)
    with pytest.raises(WrongShape):
        fitting(traced(tmp_path / "found", last_hidden_state=(1, 3, 9)), row, golden)
    with pytest.raises(WrongShape, match="the run gave no last_hidden_state"):
        fitting(traced(tmp_path / "other", query_of_0=(1, 2, 3, 4)), row, golden)

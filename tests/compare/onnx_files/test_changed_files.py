"""Property tests: an ONNX file with changed bytes or fields is read, or refused in one line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorShapeProto

from compare.onnx_files.matching import check_inputs, check_model, check_output, exposed, layers_of
from compare.onnx_files.reading import read_onnx_file
from compare.onnx_files.staging import inspecting
from compare.onnx_files.structure import candidates
from export.errors import ComparisonError
from tests.helpers.small_models import FACTS, dims, external, small


def used(path: Path) -> None:
    """Do with a file what a comparison does before it runs it."""
    file = read_onnx_file(path)
    check_output(file)
    layers = layers_of(file) or 0
    taps = candidates(file.model.graph, layers) | exposed(file, layers)
    inspecting(file.model, taps)
    check_model(file, FACTS)
    ids = np.zeros((1, 4), np.int64)
    check_inputs(file, ids, np.ones_like(ids))
    assert file.sha256()
    assert file.opset >= 0
    assert sorted(file.quantized + file.halves) is not None


@settings(max_examples=150)
@given(data=st.data())
def test_a_file_with_changed_bytes_is_read_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(small().SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    start = data.draw(st.integers(0, len(content)))
    content[start : start + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    path = tmp_path_factory.getbasetemp() / "changed.onnx"
    path.write_bytes(content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))])
    try:
        used(path)
    except ComparisonError as error:
        assert str(error)


_NAMES = st.sampled_from(
    ["x", "same", "p", "y", "logits", "head", "embedding", "input_ids", "", "hidden_state.0", "\x1b[2J"]
)
_SIZES = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-1, 9))


@settings(max_examples=150)
@given(data=st.data())
def test_a_file_with_changed_fields_is_read_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = small()
    node = model.graph.node[data.draw(st.integers(0, 4))]
    value = data.draw(st.sampled_from([*model.graph.input, *model.graph.output]))
    tensor = model.graph.initializer[data.draw(st.integers(0, 1))]
    changes = [
        lambda: node.input.__setitem__(slice(0, 1), [data.draw(_NAMES)]),
        lambda: node.output.__setitem__(slice(0, 1), [data.draw(_NAMES)]),
        lambda: node.ClearField("input"),
        lambda: setattr(
            node, "op_type", data.draw(st.sampled_from(["Sqrt", "Sub", "ReduceMean", "Pow", "Attention", "If"]))
        ),
        lambda: setattr(value, "name", data.draw(_NAMES)),
        lambda: setattr(value.type.tensor_type, "elem_type", data.draw(st.integers(-1, 30))),
        lambda: value.type.ClearField("tensor_type"),
        lambda: value.type.sequence_type.elem_type.tensor_type.Clear(),
        lambda: value.type.tensor_type.shape.dim.insert(0, TensorShapeProto.Dimension(dim_value=data.draw(_SIZES))),
        lambda: value.type.tensor_type.shape.ClearField("dim"),
        lambda: value.type.tensor_type.ClearField("shape"),
        lambda: dims(model, *data.draw(st.lists(_SIZES, max_size=4))),
        lambda: setattr(tensor, "data_type", data.draw(st.integers(-1, 30))),
        lambda: external(length=data.draw(st.text(max_size=4)), location=data.draw(st.text(max_size=9)))(model),
        lambda: model.graph.node.append(data.draw(st.sampled_from(list(model.graph.node)))),
        lambda: model.graph.output.add(name=data.draw(_NAMES)),
        lambda: model.metadata_props.add(key=data.draw(st.text(max_size=9)), value=data.draw(st.text(max_size=9))),
    ]
    for _ in range(data.draw(st.integers(1, 3))):
        data.draw(st.sampled_from(changes))()
    path = tmp_path_factory.getbasetemp() / "fields.onnx"
    path.write_bytes(model.SerializeToString())
    try:
        used(path)
    except ComparisonError as error:
        assert str(error)

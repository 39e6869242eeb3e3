"""Test that outputs are matched by name, and that files of another model are refused."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from compare.onnx_files.matching import check_inputs, check_model, exposed, layers_of, tap_of, width_of
from compare.onnx_files.reading import OnnxFile, read_onnx_file
from export.cache import Entry
from export.errors import BadInput


@pytest.mark.parametrize(
    ("output", "tap"),
    [
        ("logits", "logits"),
        ("query.1", "query.1"),
        ("hidden_state.2", "hidden_state.2"),
        ("present_key_values.0.value", "value.0"),
        ("attentions.2", None),
        ("attention.2", None),
        ("hidden_state.3", None),
        ("last_hidden_state", "last_hidden_state"),
        ("present.0.query", None),
        ("xlogits", None),
    ],
)
def test_outputs_are_matched_by_name(output: str, tap: str | None) -> None:
    assert tap_of(output, 2) == tap


def test_only_one_output_of_a_model_is_compared(entry: Entry) -> None:
    def more(graph: onnx.GraphProto) -> None:
        graph.output.append(helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, None))

    assert exposed(changed(entry, more), 2) == {"logits": "logits"}


def test_what_a_file_tells_of_its_model(entry: Entry) -> None:
    for graph in ("inspect.onnx", "deploy.onnx"):
        file = read_onnx_file(entry.folder / graph)
        assert (layers_of(file), width_of(file)) == (2, 300)
        del file.model.graph.output[-1].type.tensor_type.shape.dim[:]
        assert exposed(file, 2)["logits"] == "logits"


def test_the_vocabulary_is_inferred_where_it_is_not_declared(entry: Entry) -> None:
    file = read_onnx_file(entry.folder / "deploy.onnx")
    file.model.graph.output[0].type.tensor_type.shape.dim[2].ClearField("dim_value")
    assert width_of(file) == 300


def changed(entry: Entry, change, graph: str = "deploy.onnx") -> OnnxFile:
    file = read_onnx_file(entry.folder / graph)
    change(file.model.graph)
    return file


def more_layers(graph: onnx.GraphProto) -> None:
    graph.output.append(helper.make_tensor_value_info("attentions.5", TensorProto.FLOAT, None))


def no_head(graph: onnx.GraphProto) -> None:
    graph.output[0].name = "last_hidden_state"


@pytest.mark.parametrize(
    ("change", "model", "message"),
    [
        (
            lambda graph: None,
            {"vocabulary": 301},
            "has 300 tokens in its vocabulary, but the model has 301",
        ),
        (
            lambda graph: None,
            {"layers": 6},
            "has 2 layers, but the model has 6; give the model that",
        ),
        (more_layers, {}, "has 6 layers, but the model has 2"),
        (no_head, {}, "no output logits, only last_hidden_state: export the model with its head"),
        (no_head, {"output": "last_hidden_state", "hidden": 64}, "has 300 channels, but the model has 64"),
        (lambda graph: None, {"output": "last_hidden_state"}, "no output last_hidden_state, only logits: export the "),
    ],
)
def test_a_file_of_another_model(entry: Entry, change, model, message: str) -> None:
    with pytest.raises(BadInput) as error:
        check_model(changed(entry, change), {"layers": 2, "vocabulary": 300, "output": "logits", "hidden": 64} | model)
    assert message in str(error.value)


def test_logits_of_the_last_position_alone(entry: Entry) -> None:
    file = read_onnx_file(entry.folder / "deploy-last.onnx")
    ids = np.zeros((2, 5), dtype=np.int64)
    with pytest.raises(
        BadInput, match=r"logits is \(any, 1, 300\), which does not fit this input, \(2, 5\).*; set sequence to 1$"
    ):
        check_inputs(file, ids, np.ones_like(ids))

"""A small ONNX model, and functions that change it, for tests of what is wrong in a file."""

from collections.abc import Callable

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

#: What a cache entry's manifest says of the model.
FACTS = {"layers": 1, "vocabulary": 8, "output": "logits", "hidden": 4}


def small() -> ModelProto:
    """Return a graph that embeds ids, adds, normalizes and multiplies: about what a model has."""
    weights = [
        numpy_helper.from_array(np.ones((8, 4), np.float32), "embedding"),
        numpy_helper.from_array(np.ones((4, 8), np.float32), "head"),
    ]
    nodes = [
        helper.make_node("Gather", ["embedding", "input_ids"], ["x"]),
        helper.make_node("Identity", ["x"], ["same"]),
        helper.make_node("Softmax", ["same"], ["p"], axis=-1),
        helper.make_node("Add", ["x", "p"], ["y"]),
        helper.make_node("MatMul", ["y", "head"], ["logits"]),
    ]
    names = [("input_ids", TensorProto.INT64), ("attention_mask", TensorProto.INT64)]
    inputs = [helper.make_tensor_value_info(name, kind, ["batch", "sequence"]) for name, kind in names]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "sequence", 8])
    graph = helper.make_graph(nodes, "g", inputs, [output], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def external(**entries: str) -> Callable[[ModelProto], None]:
    """Return a function that moves the head's weights into another file, with these entries."""

    def change(model: ModelProto) -> None:
        tensor = model.graph.initializer[1]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in ({"location": "weights.bin", "offset": "0", "length": "128"} | entries).items():
            tensor.external_data.add(key=key, value=value)

    return change


def dims(model: ModelProto, *sizes: int) -> None:
    del model.graph.initializer[1].dims[:]
    model.graph.initializer[1].dims.extend(sizes)

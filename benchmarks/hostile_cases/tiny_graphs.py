"""Tiny ONNX graphs of a language model: logits are rows of a table, multiplied by another."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from benchmarks.hostile_cases.case import Make

#: The graph of a case, and the one that it is compared with.
FILE, BASELINE = "file.onnx", "baseline.onnx"

#: The number of tokens and of channels.
VOCABULARY, WIDTH = 256, 4

#: Changes a graph, and returns the graph or the bytes of its file.
Edit = Callable[..., ModelProto | bytes | None]


def graph() -> ModelProto:
    """Return a graph with input_ids and attention_mask, int64 (batch, sequence), and logits."""
    random = np.random.default_rng(0)
    ids = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask")
    ]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "sequence", VOCABULARY])
    tables = {"table": (VOCABULARY, WIDTH), "head": (WIDTH, VOCABULARY)}
    held = [
        numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)
        for name, shape in tables.items()
    ]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["hidden"], name="embed"),
        helper.make_node("MatMul", ["hidden", "head"], ["logits"], name="project"),
    ]
    made = helper.make_graph(nodes, "tiny", ids, [logits], held)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def unchanged(_: ModelProto) -> None:
    """Change nothing."""


def files(edit: Edit = unchanged, *, both: bool = False) -> Make:
    """Write the two graphs, which are equal but for what `edit` changes. both: whether it changes both."""

    def made(work: Path) -> None:
        for name in (FILE, BASELINE):
            model = graph()
            result = edit(model) if both or name == FILE else None
            model = result if isinstance(result, ModelProto) else model  # append returns what it appended
            content = result if isinstance(result, bytes) else model.SerializeToString()
            (work / name).write_bytes(content)

    return made


def external(model: ModelProto, location: str, tensor: int = 0, **more: Any) -> ModelProto:
    """Say that a tensor is in another file, `location`."""
    held = model.graph.initializer[tensor]
    held.ClearField("raw_data")
    held.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        held.external_data.add(key=key, value=str(value))
    return model


def with_node(model: ModelProto, kind: str, inputs: list[str], outputs: list[str], **more: Any) -> None:
    """Add a node at the start of a graph."""
    model.graph.node.insert(0, helper.make_node(kind, inputs, outputs, **more))


def with_output(model: ModelProto, name: str) -> None:
    """Add a further output: the rows of the table, under a name."""
    model.graph.node.append(helper.make_node("Identity", ["hidden"], [name]))
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))


def own_operator(model: ModelProto, kind: str, domain: str, *, name: str = "") -> None:
    """Put a node of any operator into a graph."""
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    model.graph.node[0].output[0] = "looked_up"
    model.graph.node.insert(1, helper.make_node(kind, ["looked_up"], ["hidden"], domain=domain, name=name))


def constant(model: ModelProto, name: str, value: Any) -> None:
    """Add a tensor to a graph."""
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))

"""The kernel of ONNX's ReferenceEvaluator, which runs a graph in NumPy as the specification defines it."""

from typing import Any

from onnx import ModelProto
from onnx.reference import ReferenceEvaluator

from compare.battery.inputs import Array, Inputs
from compare.battery.kernels.onnx_graphs import Feeds, attention_graph
from compare.battery.node_cases import NodeCase


class Attention:
    """The Attention operator of opset 23. For a node case, the case's own model is run."""

    def __init__(self, *, threads: int) -> None:
        del threads  # set by the environment of the process

    def attend(self, inputs: Inputs) -> Array:
        model, feeds = attention_graph(inputs)
        return _run(model, feeds)[0]

    def node(self, case: NodeCase) -> list[Array]:
        return _run(case.model, case.feeds)


def _run(model: ModelProto, feeds: Feeds) -> list[Array]:
    """Return all outputs of a model."""
    outputs: Any = ReferenceEvaluator(model).run(None, feeds)
    return list(outputs)

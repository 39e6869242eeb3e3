"""An exported graph that can be edited: locates its segments, matrices, norms and attention by their structure.

This module contains no faults. A node belongs to the segment whose tap it reaches first, so the same edit works in any
layer, in any exporter's graph, in float32 or float64.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from compare.numerics.places import place_of

Array = NDArray[Any]

#: Bits in the significand, including the leading one.
BITS = {np.dtype(np.float32): 24, np.dtype(np.float64): 53}


#: The beginning of the names of planted nodes.
PLANTED = "planted"


@dataclass(frozen=True)
class Map:
    """A linear map of the graph: the multiplying node, the weight as (input, output), and the bias, if it has one."""

    node: ir.Node
    weight: Array
    bias: tuple[ir.Node, int] | None


class Graph:
    """An ONNX graph in memory with taps as outputs.

    dtype: the type that it computes in. prefix: the beginning of the names of what is added to it.
    """

    def __init__(self, serialized: bytes, prefix: str = PLANTED) -> None:
        self.prefix = prefix
        self.model = ir.from_proto(onnx.load_from_string(serialized))
        taps = [value for value in self.model.graph.outputs if value.name == "logits"]
        self.dtype = np.dtype(taps[0].dtype.numpy())  # type: ignore[union-attr]
        self._made = 0
        self._kept: set[ir.Node] = set()

    @classmethod
    def read(cls, path: Path, *, double: bool = False) -> "Graph":
        """Read a graph from a file, with its weights. double: convert all float32 in it to float64."""
        model = ir.load(path)
        for value in model.graph.initializers.values():
            assert value.const_value is not None
            array = value.const_value.numpy()
            widened = array.astype(np.float64) if double and array.dtype == np.float32 else array.copy()
            value.const_value = ir.tensor(widened, name=value.name)
            value.dtype = value.const_value.dtype
        if double:
            for node in model.graph:
                _widen(node)
        return cls(ir.to_proto(model).SerializeToString())

    def serialized(self) -> bytes:
        """Return the graph as the bytes of a file, with its nodes in an executable order."""
        self.model.graph.sort()
        return ir.to_proto(self.model).SerializeToString()

    @cached_property
    def places(self) -> dict[str, list[ir.Node]]:
        """The nodes of each segment in graph order, by place as in a verdict ("layer 1, attention")."""
        order = {value.name: i for i, value in enumerate(self._taps_in_order())}
        names = list(order)
        reached: dict[ir.Node, int] = {}
        for node in reversed(list(self.model.graph)):
            ahead = [order[value.name] for value in node.outputs if value.name in order]
            ahead += [reached[user] for value in node.outputs for user in value.consumers() if user in reached]
            if ahead:
                reached[node] = min(ahead)
        found: dict[str, list[ir.Node]] = {}
        for node in self.model.graph:
            if node in reached:
                found.setdefault(place_of(str(names[reached[node]])), []).append(node)
        return found

    def nodes(self, place: str, *operators: str) -> list[ir.Node]:
        """Return the nodes of a place with one of these operators, in graph order."""
        return [node for node in self.places.get(place, []) if node.op_type in operators]

    def maps(self, place: str) -> list[Map]:
        """Return the linear maps of a place: products of a computed tensor and a weight."""
        return [found for node in self.nodes(place, "Gemm", "MatMul") if (found := self._map(node)) is not None]

    def softmax(self, place: str) -> ir.Node:
        return self.nodes(place, "Softmax")[0]

    def mixing(self, place: str) -> ir.Node:
        """Return the node that multiplies probabilities and values."""
        return next(node for node in self.softmax(place).outputs[0].consumers() if node.op_type == "MatMul")

    def scoring(self, place: str) -> ir.Node:
        """Return the node that multiplies queries and keys."""
        return next(node for node in self.above(self.softmax(place)) if node.op_type == "MatMul")

    def gain(self, place: str) -> tuple[ir.Node, int] | None:
        """Return the use of the gain of a place's norm, as (node, input index), or None if it has none."""
        for node in self.nodes(place, "LayerNormalization", "Mul"):
            for index, value in enumerate(node.inputs):
                if value is not None and value.is_initializer() and len(self.array(value).shape) == 1:
                    return node, index
        return None

    def array(self, value: ir.Value | None) -> Array:
        """Return the array of an initializer."""
        assert value is not None
        assert value.const_value is not None, f"{value.name} is no initializer"
        numbers: Array = value.const_value.numpy()
        return numbers

    def constant(self, array: Any) -> ir.Value:
        """Add an initializer: floating point in the graph's own precision, integers as int64."""
        numbers = np.asarray(array)
        kinds = {"f": self.dtype, "i": np.dtype(np.int64), "b": np.dtype(np.bool_)}
        tensor = ir.tensor(numbers.astype(kinds[numbers.dtype.kind]))
        value = ir.val(self._name(), const_value=tensor, type=ir.TensorType(tensor.dtype), shape=tensor.shape)
        self.model.graph.register_initializer(value)
        return value

    def put(self, use: tuple[ir.Node, int], array: Array) -> None:
        """Replace one input of one node by a new initializer; other uses of the old one stay."""
        node, index = use
        node.replace_input_with(index, self.constant(array))

    def put_weight(self, found: Map, weight: Array) -> None:
        """Replace the weight of a linear map, (input, output)."""
        self.put((found.node, 1), weight)
        if "transB" in found.node.attributes:
            found.node.attributes["transB"] = ir.AttrInt64("transB", 0)

    def op(self, operator: str, *inputs: ir.Value, **attributes: Any) -> ir.Value:
        """Add a node and return its first output."""
        node = ir.node(operator, inputs, attributes=attributes, name=self._name())
        node.outputs[0].name = self._name()
        self.model.graph.append(node)
        return node.outputs[0]

    def keep(self, value: ir.Value) -> ir.Value:
        """Return a copy of a value that keeps its current content if the value is replaced later."""
        copy = self.op("Identity", value)
        self._kept |= {node for node, _ in value.uses() if copy in node.outputs}
        return copy

    def change(
        self, value: ir.Value | None, by: Callable[[ir.Value], ir.Value], *, only: ir.Node | None = None
    ) -> None:
        """Replace a value by `by(value)`, everywhere including the graph's outputs, or in one node only."""
        assert value is not None
        uses = [use for use in value.uses() if use.node not in self._kept and only in (None, use.node)]
        new = by(value)
        for node, index in uses:
            node.replace_input_with(index, new)
        if only is None and value.is_graph_output():
            outputs = self.model.graph.outputs
            new.name, value.name = value.name, self._name()
            new.type, new.shape = value.type, value.shape
            outputs[list(outputs).index(value)] = new

    def _taps_in_order(self) -> list[ir.Value]:
        """Return the graph's outputs by layer, and within a layer in the order of computation."""
        kinds = ("hidden_state", "query", "key", "value", "attention", "context", "mid_state")

        def key(value: ir.Value) -> tuple[float, int]:
            kind, _, layer = str(value.name).partition(".")
            return (float(layer), kinds.index(kind)) if layer else (float("inf"), 0)

        return sorted(self.model.graph.outputs, key=key)

    def _map(self, node: ir.Node) -> Map | None:
        value = node.inputs[1]
        if value is None:
            return None
        producer = value.producer()
        flipped = bool(node.attributes["transB"].as_int()) if "transB" in node.attributes else False
        if producer is not None and producer.op_type == "Transpose" and len(producer.inputs) == 1:
            value, flipped = producer.inputs[0], not flipped
        if value is None or not value.is_initializer() or self.array(value).ndim != 2:
            return None
        weight = self.array(value)
        return Map(node, weight.T.copy() if flipped else weight.copy(), self._bias(node))

    def _bias(self, node: ir.Node) -> tuple[ir.Node, int] | None:
        if node.op_type == "Gemm":
            return (node, 2) if len(node.inputs) > 2 and node.inputs[2] is not None else None
        for user in node.outputs[0].consumers():
            for index, value in enumerate(user.inputs):
                if user.op_type == "Add" and value is not None and value.is_initializer():
                    return user, index
        return None

    def above(self, node: ir.Node) -> Iterator[ir.Node]:
        """Yield the nodes that the inputs of a node depend on, nearest first."""
        waiting = [node]
        while waiting:
            producers = [value.producer() for value in waiting.pop(0).inputs if value is not None]
            for producer in producers:
                if producer is not None:
                    yield producer
                    waiting.append(producer)

    def _name(self) -> str:
        self._made += 1
        return f"{self.prefix}.{self._made}"


def _widen(node: ir.Node) -> None:
    """Change the float32 type of a node's casts and constants to float64."""
    for value in node.outputs:
        if value.dtype == ir.DataType.FLOAT:
            value.dtype = ir.DataType.DOUBLE
    for name, attribute in list(node.attributes.items()):
        if name == "to" and attribute.as_int() == ir.DataType.FLOAT:
            node.attributes[name] = ir.AttrInt64(name, int(ir.DataType.DOUBLE))
        elif attribute.type == ir.AttributeType.TENSOR and attribute.as_tensor().dtype == ir.DataType.FLOAT:
            node.attributes[name] = ir.AttrTensor(name, ir.tensor(attribute.as_tensor().numpy().astype(np.float64)))

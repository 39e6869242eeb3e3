"""Edits of a graph that faults in several files are made of."""

import numpy as np
import onnx_ir as ir
from numpy.random import Generator

from tests.faults.graph import BITS, Graph, Map
from tests.faults.kinds.fault import NotHere


def drawn_map(found: list[Map], rng: Generator) -> Map:
    """Return a random one of these linear maps. Raises `NotHere` if there is none."""
    if not found:
        raise NotHere
    return found[rng.integers(len(found))]


def output_named(graph: Graph, name: str) -> ir.Value:
    """Return an output of the graph. Raises `NotHere` if it has no output of this name."""
    found = [value for value in graph.model.graph.outputs if value.name == name]
    if not found:
        raise NotHere
    return found[0]


def input_of(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index]
    assert value is not None
    return value


def blend(graph: Graph, one: ir.Value, other: ir.Value, strength: float) -> ir.Value:
    """Return the interpolation from one value to another by `strength`; at 1 the other value without rounding."""
    if strength == 1:
        return graph.op("Identity", other)
    return graph.op("Add", one, graph.op("Mul", graph.op("Sub", other, one), graph.constant(strength)))


def through(graph: Graph, value: ir.Value, dtype: ir.DataType) -> ir.Value:
    narrow = graph.op("Cast", value, to=int(dtype))
    return graph.op("Cast", narrow, to=int(ir.DataType.from_numpy(graph.dtype)))


def kept_bits(strength: float) -> int:
    """Return the number of bits to keep for a relative error of up to `strength`."""
    return max(1, round(-np.log2(strength)))


def veltkamp(graph: Graph, value: ir.Value, bits: int) -> ir.Value:
    """Round a value to `bits` bits with arithmetic operators only (Veltkamp's splitting; Dekker 1971, section 5)."""
    dropped = BITS[graph.dtype] - bits
    if dropped <= 0:
        raise NotHere
    scaled = graph.op("Mul", value, graph.constant(2.0**dropped + 1))
    return graph.op("Sub", scaled, graph.op("Sub", scaled, value))

"""Faults in values: outputs and inputs of linear maps, and the residual stream."""

import numpy as np
import onnx_ir as ir
from numpy.random import Generator

from tests.faults.graph import Graph
from tests.faults.kinds.edits import drawn_map, kept_bits, output_named, through, veltkamp
from tests.faults.kinds.fault import HEAD, MLP, OUTPUT, PROJECTIONS, Faults

FAULTS = Faults()
fault = FAULTS.kind


@fault(PROJECTIONS, OUTPUT, MLP, start=2.0**-21)
def values_rounded(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Round the output of a linear map to fewer bits."""
    found = drawn_map(graph.maps(place), rng)
    graph.change(found.node.outputs[0], lambda x: veltkamp(graph, x, kept_bits(strength)))


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=None)
def values_through_bf16(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = drawn_map(graph.maps(place), rng)
    graph.change(found.node.outputs[0], lambda x: through(graph, x, ir.DataType.BFLOAT16))


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=None, held_out=True)
def inputs_through_fp16(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = drawn_map(graph.maps(place), rng)
    graph.change(found.node.inputs[0], lambda x: through(graph, x, ir.DataType.FLOAT16), only=found.node)


@fault(OUTPUT, MLP, start=1e-6)
def residual_scaled(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    add = graph.nodes(place, "Add")[-1]
    kept = next(value for value in add.inputs if value is not None and _is_state(value))
    graph.change(kept, lambda x: graph.op("Mul", x, graph.constant(1 + strength)), only=add)


@fault(OUTPUT, MLP, start=1e-5, held_out=True)
def one_channel_of_the_state_faded(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    add = graph.nodes(place, "Add")[-1]
    factors = np.ones(_hidden(graph))
    factors[rng.integers(len(factors))] -= strength
    graph.change(add.outputs[0], lambda x: graph.op("Mul", x, graph.constant(factors)))


def _hidden(graph: Graph) -> int:
    return int(output_named(graph, "hidden_state.0").shape[-1])  # type: ignore[index,arg-type]


def _is_state(value: ir.Value) -> bool:
    return str(value.name).startswith(("hidden_state.", "mid_state."))

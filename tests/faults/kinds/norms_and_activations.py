"""Faults in norms and activations."""

import numpy as np
import onnx_ir as ir
from numpy.random import Generator

from tests.faults.graph import Graph
from tests.faults.kinds.edits import blend, input_of
from tests.faults.kinds.fault import HEAD, MLP, PROJECTIONS, Array, Faults, NotHere

FAULTS = Faults()
fault = FAULTS.kind


@fault(PROJECTIONS, MLP, HEAD, start=1e-5)
def norm_epsilon(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Change the epsilon of a norm, at full strength to 1e-3 instead of 1e-5."""
    factor = 1 + 99 * strength
    for node in graph.nodes(place, "LayerNormalization"):
        node.attributes["epsilon"] = ir.AttrFloat32("epsilon", node.attributes["epsilon"].as_float() * factor)
        return
    for mean in graph.nodes(place, "ReduceMean"):
        node = next(user for user in mean.outputs[0].consumers() if user.op_type == "Add")
        graph.put((node, 1), graph.array(node.inputs[1]) * factor)
        return
    raise NotHere


@fault(PROJECTIONS, MLP, HEAD, start=1e-4)
def gain_of_one_channel_off(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    use, gain = _gain(graph, place)
    changed = gain.copy()
    changed[rng.integers(len(gain))] *= 1 + strength
    graph.put(use, changed)


@fault(PROJECTIONS, MLP, HEAD, start=1e-5, held_out=True)
def gain_dropped(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    use, gain = _gain(graph, place)
    graph.put(use, gain + strength * (1 - gain))


@fault(PROJECTIONS, MLP, HEAD, start=1e-6)
def norm_missing(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    norm = _layer_norm(graph, place)
    graph.change(norm.outputs[0], lambda normed: blend(graph, normed, input_of(norm, 0), strength))


@fault(PROJECTIONS, MLP, HEAD, start=1e-4, held_out=True)
def norm_bias_dropped(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    norm = _layer_norm(graph, place)
    graph.put((norm, 2), graph.array(norm.inputs[2]) * (1 - strength))


@fault(MLP, start=1e-3)
def gelu_constant(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Enlarge the 0.044715 of GELU's tanh form, at full strength to twice that (Hendrycks and Gimpel 2016)."""
    for node in graph.nodes(place, "Mul"):
        for index, value in enumerate(node.inputs):
            if value is not None and value.is_initializer() and np.allclose(graph.array(value), 0.044715):
                graph.put((node, index), graph.array(value) * (1 + strength))
                return
    raise NotHere


@fault(MLP, start=1e-4)
def gelu_by_erf(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Compute GELU with the error function instead of its tanh form."""
    x, product = _gelu(graph, place)
    half, root = graph.constant(0.5), graph.constant(0.5**0.5)

    def by_erf(found: ir.Value) -> ir.Value:
        erf = graph.op("Erf", graph.op("Mul", x, root))
        exact = graph.op("Mul", graph.op("Mul", x, graph.op("Add", erf, graph.constant(1.0))), half)
        return blend(graph, found, exact, strength)

    graph.change(product, by_erf)


@fault(MLP, start=1e-5, held_out=True)
def gelu_by_sigmoid(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Compute GELU as x times the logistic function of 1.702 x, as in some models, instead of its tanh form."""
    x, product = _gelu(graph, place)

    def by_sigmoid(found: ir.Value) -> ir.Value:
        logistic = graph.op("Sigmoid", graph.op("Mul", x, graph.constant(1.702)))
        return blend(graph, found, graph.op("Mul", x, logistic), strength)

    graph.change(product, by_sigmoid)


def _gain(graph: Graph, place: str) -> tuple[tuple[ir.Node, int], Array]:
    use = graph.gain(place)
    if use is None:
        raise NotHere
    return use, graph.array(use[0].inputs[use[1]])


def _layer_norm(graph: Graph, place: str) -> ir.Node:
    if not (norms := graph.nodes(place, "LayerNormalization")):
        raise NotHere
    return norms[0]


def _gelu(graph: Graph, place: str) -> tuple[ir.Value, ir.Value]:
    """Return the input and the output of a GELU in its tanh form."""
    if not (tanh := graph.nodes(place, "Tanh")):
        raise NotHere
    (add,) = tanh[0].outputs[0].consumers()
    (product,) = add.outputs[0].consumers()
    cube = graph.nodes(place, "Pow")[-1]
    return input_of(cube, 0), product.outputs[0]

"""Faults in weights: matrices and biases."""

import numpy as np
import onnx_ir as ir
from numpy.random import Generator

from tests.faults.graph import Graph
from tests.faults.kinds.edits import drawn_map, kept_bits
from tests.faults.kinds.fault import HEAD, MLP, OUTPUT, PROJECTIONS, Array, Faults, NotHere

FAULTS = Faults()
fault = FAULTS.kind


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-6)
def matrix_scaled(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = drawn_map(graph.maps(place), rng)
    graph.put_weight(found, found.weight * (1 + strength))


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-4)
def weight_row_zeroed(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = drawn_map(graph.maps(place), rng)
    weight = found.weight.copy()
    weight[rng.integers(weight.shape[0])] *= 1 - strength
    graph.put_weight(found, weight)


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-5, held_out=True)
def weight_column_zeroed(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = drawn_map(graph.maps(place), rng)
    weight = found.weight.copy()
    weight[:, rng.integers(weight.shape[1])] *= 1 - strength
    graph.put_weight(found, weight)


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-3)
def one_weight_off(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = drawn_map(graph.maps(place), rng)
    weight = found.weight.copy()
    weight[tuple(rng.integers(weight.shape))] += 10 * strength * _rms(weight)
    graph.put_weight(found, weight)


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-3)
def sign_of_one_weight_flipped(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Flip the sign of the weight whose size is nearest to `strength` times the largest."""
    found = drawn_map(graph.maps(place), rng)
    weight = found.weight.copy()
    size = np.abs(weight)
    weight[np.unravel_index(np.argmin(np.abs(size - strength * size.max())), size.shape)] *= -1
    graph.put_weight(found, weight)


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=2.0**-20)
def low_bits_of_a_matrix_lost(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = drawn_map(graph.maps(place), rng)
    graph.put_weight(found, _rounded(found.weight, kept_bits(strength)))


@fault(PROJECTIONS, OUTPUT, MLP, start=1e-5, held_out=True)
def two_rows_of_a_matrix_swapped(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = drawn_map(graph.maps(place), rng)
    first, second = rng.choice(found.weight.shape[0], 2, replace=False)
    weight = found.weight.copy()
    weight[[first, second]] += strength * (found.weight[[second, first]] - found.weight[[first, second]])
    graph.put_weight(found, weight)


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-6)
def weights_drawn_apart(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Blend the weights with random ones. In the head, this unties them from the embedding."""
    found = drawn_map(graph.maps(place), rng)
    other = rng.standard_normal(found.weight.shape) * _rms(found.weight)
    graph.put_weight(found, (1 - strength) * found.weight + strength * other)


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-4, held_out=True)
def small_weights_pruned(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = drawn_map(graph.maps(place), rng)
    graph.put_weight(found, np.where(np.abs(found.weight) < strength * _rms(found.weight), 0.0, found.weight))


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-3, held_out=True)
def large_weights_clipped(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = drawn_map(graph.maps(place), rng)
    most = (1 - strength) * np.abs(found.weight).max()
    graph.put_weight(found, found.weight.clip(-most, most))


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=None, held_out=True)
def matrix_through_int8(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = drawn_map(graph.maps(place), rng)
    step = np.abs(found.weight).max() / 127
    graph.put_weight(found, np.round(found.weight / step) * step)


@fault(PROJECTIONS, OUTPUT, MLP, start=1e-5)
def bias_dropped(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    use, bias = _bias(graph, place, rng)
    graph.put(use, bias * (1 - strength))


@fault(PROJECTIONS, OUTPUT, MLP, start=1e-4)
def one_bias_off(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    use, bias = _bias(graph, place, rng)
    changed = bias.copy()
    changed[rng.integers(len(bias))] += 10 * strength * _rms(bias)
    graph.put(use, changed)


@fault(PROJECTIONS, OUTPUT, MLP, start=2.0**-20, held_out=True)
def low_bits_of_a_bias_lost(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    use, bias = _bias(graph, place, rng)
    graph.put(use, _rounded(bias, kept_bits(strength)))


def _bias(graph: Graph, place: str, rng: Generator) -> tuple[tuple[ir.Node, int], Array]:
    found = [each.bias for each in graph.maps(place) if each.bias is not None]
    if not found:
        raise NotHere
    node, index = found[rng.integers(len(found))]
    return (node, index), graph.array(node.inputs[index])


def _rounded(array: Array, bits: int) -> Array:
    """Return an array with significands rounded to `bits` bits."""
    fraction, exponent = np.frexp(array)
    rounded: Array = np.ldexp(np.round(np.ldexp(fraction, bits)), exponent - bits)
    return rounded


def _rms(array: Array) -> float:
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))

"""Faults in the attention: scale, mask, softmax, heads and values."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from numpy.random import Generator

from tests.faults.graph import Graph
from tests.faults.kinds.edits import blend, input_of, kept_bits, output_named, through, veltkamp
from tests.faults.kinds.fault import ATTENTION, PROJECTIONS, Array, Faults, NotHere, segment_of

#: The longest sequence for faults that depend on positions.
LONGEST = 1024


FAULTS = Faults()
fault = FAULTS.kind


@fault(ATTENTION, start=1e-6)
def scale_off(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    scores = graph.scoring(place)
    graph.change(scores.inputs[0], lambda q: graph.op("Mul", q, graph.constant(1 + strength)), only=scores)


@fault(ATTENTION, start=1e-6, held_out=True)
def scale_of_one_head_off(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    scores = graph.scoring(place)
    factors = graph.constant(1 + strength * _one_head(graph, place, rng))
    graph.change(scores.inputs[0], lambda q: graph.op("Mul", q, factors), only=scores)


@fault(ATTENTION, start=None)
def scale_of_another_head_size(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    scale_off(graph, place, 2**-0.5 - 1, rng)


@fault(ATTENTION, start=None)
def mask_shifted_by_one(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Hide the key at the query's own position from every query except the first."""
    _bias_scores(graph, place, lambda query, key: np.where((query == key) & (query > 0), -1e9, 0.0))


@fault(ATTENTION, start=None)
def mask_missing_in_one_head(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    where = _mask(graph, place)
    head = graph.constant(_one_head(graph, place, rng).astype(bool))
    graph.change(where.inputs[0], lambda seen: graph.op("Or", seen, head), only=where)


@fault(ATTENTION, start=1e-9, held_out=True)
def mask_leaks(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Give hidden scores a small number instead of the lowest one."""
    graph.put((_mask(graph, place), 2), np.array(np.log(strength) + 5))


@fault(ATTENTION, start=1e-5)
def one_key_seen_less(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    seen = 1 + int(rng.integers(8))
    _bias_scores(graph, place, lambda query, key: np.where((key == seen) & (query > seen), -20 * strength, 0.0))


@fault(ATTENTION, start=1e-7, held_out=True)
def far_keys_seen_less(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Add a bias to the scores that grows with the distance, as some models do (Press et al. 2022)."""
    _bias_scores(graph, place, lambda query, key: -strength * np.maximum(query - key, 0))


@fault(ATTENTION, start=None)
def softmax_over_the_wrong_axis(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    graph.softmax(place).attributes["axis"] = ir.AttrInt64("axis", -2)


@fault(ATTENTION, start=2.0**-21)
def softmax_rounded(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    graph.change(graph.softmax(place).outputs[0], lambda x: veltkamp(graph, x, kept_bits(strength)))


@fault(ATTENTION, start=None)
def softmax_through_fp16(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    graph.change(graph.softmax(place).outputs[0], lambda x: through(graph, x, ir.DataType.FLOAT16))


@fault(ATTENTION, start=1e-6, held_out=True)
def probabilities_scaled(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Scale the probabilities, like a dropout that was left on."""
    factor = graph.constant(1 - strength)
    graph.change(graph.softmax(place).outputs[0], lambda x: graph.op("Mul", x, factor))


@fault(ATTENTION, start=1e-6)
def two_heads_swapped(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    heads = _heads(graph, place)
    order = np.arange(heads)
    first, second = rng.choice(heads, 2, replace=False)
    order[[first, second]] = second, first
    chosen = graph.constant(order)
    context = graph.mixing(place).outputs[0]
    graph.change(context, lambda x: blend(graph, x, graph.op("Gather", x, chosen, axis=1), strength))


@fault(ATTENTION, start=1e-6)
def context_of_one_head_scaled(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    factors = graph.constant(1 + strength * _one_head(graph, place, rng))
    graph.change(graph.mixing(place).outputs[0], lambda x: graph.op("Mul", x, factors))


@fault(ATTENTION, PROJECTIONS, start=1e-6)
def key_and_value_swapped(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Replace the values by keys in the attention; exchange keys and values in the projections."""
    layer = place.split(",")[0].removeprefix("layer ")
    key, value = (output_named(graph, f"{kind}.{layer}") for kind in ("key", "value"))
    if segment_of(place) == ATTENTION:
        mixing = graph.mixing(place)
        if mixing.inputs[1] is not value:
            raise NotHere  # grouped heads are repeated before the mixing
        graph.change(value, lambda x: blend(graph, x, key, strength), only=mixing)
        return
    old_key, old_value = graph.keep(key), graph.keep(value)
    graph.change(key, lambda _: blend(graph, old_key, old_value, strength))
    graph.change(value, lambda _: blend(graph, old_value, old_key, strength))


@fault(ATTENTION, start=1e-5, held_out=True)
def one_value_is_the_one_before(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Give one position the value of the position before, like a cache that is one step behind."""
    mixing, position = graph.mixing(place), 1 + int(rng.integers(8))
    before = graph.constant(np.arange(LONGEST) - (np.arange(LONGEST) == position))

    def stale(value: ir.Value) -> ir.Value:
        length = graph.op("Gather", graph.op("Shape", value), graph.constant(np.array([2])), axis=0)
        zero = graph.constant(np.array([0]))
        order = graph.op("Slice", before, zero, length)
        return blend(graph, value, graph.op("Gather", value, order, axis=2), strength)

    graph.change(mixing.inputs[1], stale, only=mixing)


def _mask(graph: Graph, place: str) -> ir.Node:
    """Return the node that selects between a score and the number for a hidden key."""
    producer = input_of(graph.softmax(place), 0).producer()
    if producer is None or producer.op_type != "Where":
        raise NotHere
    return producer


def _bias_scores(graph: Graph, place: str, pattern: Callable[[Array, Array], Array]) -> None:
    """Add `pattern(query, key)` to the scores. Its arguments are positions: a column and a row of integers."""
    softmax = graph.softmax(place)
    scores = input_of(softmax, 0)
    positions = np.arange(LONGEST)
    whole = graph.constant(pattern(positions[:, None], positions[None, :]).astype(np.float64))
    shape = graph.op("Shape", scores, start=2)
    part = graph.op("Slice", whole, graph.constant(np.array([0, 0])), shape)
    graph.change(scores, lambda x: graph.op("Add", x, part), only=softmax)


def _heads(graph: Graph, place: str) -> int:
    """Return the number of heads of the attention of a place, from the exported shape."""
    shape = graph.softmax(place).outputs[0].shape
    if shape is None or not isinstance(shape[1], int):
        raise NotHere
    return shape[1]


def _one_head(graph: Graph, place: str, rng: Generator) -> Array:
    """Return an array (1, heads, 1, 1): 1 for a random head, 0 for the others."""
    drawn = np.zeros((1, _heads(graph, place), 1, 1))
    drawn[0, rng.integers(drawn.shape[1])] = 1
    return drawn

"""The kinds of faults. Each is a short function that edits a graph.

A fault is planted in a place (a segment of a layer, as a verdict names it) with a strength. If the strength of a kind
can vary, it is between 0 and 1; 1 is the full fault, such as a dropped bias or two swapped heads. Random choices (which
row, which head) depend only on the generator, so that the same fault can be planted twice: into the float64 graph, to
measure its size, and into the graph that is judged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.random import Generator
from numpy.typing import NDArray

from compare.numerics.verdicts import SEGMENTS
from tests.faults.graph import BITS, Graph, Map

Array = NDArray[Any]

PROJECTIONS, ATTENTION, OUTPUT, MLP, HEAD = dict.fromkeys(SEGMENTS.values())
EMBEDDING = "embedding"


#: (graph, place, strength, random generator) -> None: edits the graph.
Plant = Callable[[Graph, str, float, Generator], None]


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    segments: the segments where it can be planted. start: a strength of about one floor, from which a search can start;
    None if the kind has only one size. held_out: whether it is kept out of the choice of limits.
    """

    name: str
    plant: Plant
    segments: tuple[str, ...]
    start: float | None
    held_out: bool = False


class NotHere(Exception):
    """The fault cannot be planted in that place of the graph."""


KINDS: dict[str, Fault] = {}


def fault(*segments: str, start: float | None, held_out: bool = False) -> Callable[[Plant], Plant]:
    """Register a function as a kind of fault under its name."""

    def register(plant: Plant) -> Plant:
        name = plant.__name__.replace("_", " ")
        KINDS[name] = Fault(name, plant, segments, start, held_out)
        return plant

    return register


def segment_of(place: str) -> str:
    """Return the segment of a place.

    >>> segment_of("layer 1, attention"), segment_of("embedding")
    ('attention', 'embedding')
    """
    return place.partition(", ")[2] if place.startswith("layer ") else place


# Matrices


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-6)
def matrix_scaled(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = _one(graph.maps(place), rng)
    graph.put_weight(found, found.weight * (1 + strength))


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-4)
def weight_row_zeroed(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = _one(graph.maps(place), rng)
    weight = found.weight.copy()
    weight[rng.integers(weight.shape[0])] *= 1 - strength
    graph.put_weight(found, weight)


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-5, held_out=True)
def weight_column_zeroed(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = _one(graph.maps(place), rng)
    weight = found.weight.copy()
    weight[:, rng.integers(weight.shape[1])] *= 1 - strength
    graph.put_weight(found, weight)


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-3)
def one_weight_off(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = _one(graph.maps(place), rng)
    weight = found.weight.copy()
    weight[tuple(rng.integers(weight.shape))] += 10 * strength * _rms(weight)
    graph.put_weight(found, weight)


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-3)
def sign_of_one_weight_flipped(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Flip the sign of the weight whose size is nearest to `strength` times the largest."""
    found = _one(graph.maps(place), rng)
    weight = found.weight.copy()
    size = np.abs(weight)
    weight[np.unravel_index(np.argmin(np.abs(size - strength * size.max())), size.shape)] *= -1
    graph.put_weight(found, weight)


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=2.0**-20)
def low_bits_of_a_matrix_lost(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = _one(graph.maps(place), rng)
    graph.put_weight(found, _rounded(found.weight, _bits(strength)))


@fault(PROJECTIONS, OUTPUT, MLP, start=1e-5, held_out=True)
def two_rows_of_a_matrix_swapped(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = _one(graph.maps(place), rng)
    first, second = rng.choice(found.weight.shape[0], 2, replace=False)
    weight = found.weight.copy()
    weight[[first, second]] += strength * (found.weight[[second, first]] - found.weight[[first, second]])
    graph.put_weight(found, weight)


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-6)
def weights_drawn_apart(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Blend the weights with random ones. In the head, this unties them from the embedding."""
    found = _one(graph.maps(place), rng)
    other = rng.standard_normal(found.weight.shape) * _rms(found.weight)
    graph.put_weight(found, (1 - strength) * found.weight + strength * other)


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-4, held_out=True)
def small_weights_pruned(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = _one(graph.maps(place), rng)
    graph.put_weight(found, np.where(np.abs(found.weight) < strength * _rms(found.weight), 0.0, found.weight))


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=1e-3, held_out=True)
def large_weights_clipped(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = _one(graph.maps(place), rng)
    most = (1 - strength) * np.abs(found.weight).max()
    graph.put_weight(found, found.weight.clip(-most, most))


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=None, held_out=True)
def matrix_through_int8(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = _one(graph.maps(place), rng)
    step = np.abs(found.weight).max() / 127
    graph.put_weight(found, np.round(found.weight / step) * step)


# Biases


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
    graph.put(use, _rounded(bias, _bits(strength)))


# Norms


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
    graph.change(norm.outputs[0], lambda normed: _blend(graph, normed, _input(norm, 0), strength))


@fault(PROJECTIONS, MLP, HEAD, start=1e-4, held_out=True)
def norm_bias_dropped(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    norm = _layer_norm(graph, place)
    graph.put((norm, 2), graph.array(norm.inputs[2]) * (1 - strength))


# Activations


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
        return _blend(graph, found, exact, strength)

    graph.change(product, by_erf)


@fault(MLP, start=1e-5, held_out=True)
def gelu_by_sigmoid(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Compute GELU as x times the logistic function of 1.702 x, as in some models, instead of its tanh form."""
    x, product = _gelu(graph, place)

    def by_sigmoid(found: ir.Value) -> ir.Value:
        logistic = graph.op("Sigmoid", graph.op("Mul", x, graph.constant(1.702)))
        return _blend(graph, found, graph.op("Mul", x, logistic), strength)

    graph.change(product, by_sigmoid)


# Values


@fault(PROJECTIONS, OUTPUT, MLP, start=2.0**-21)
def values_rounded(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Round the output of a linear map to fewer bits."""
    found = _one(graph.maps(place), rng)
    graph.change(found.node.outputs[0], lambda x: _veltkamp(graph, x, _bits(strength)))


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=None)
def values_through_bf16(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = _one(graph.maps(place), rng)
    graph.change(found.node.outputs[0], lambda x: _through(graph, x, ir.DataType.BFLOAT16))


@fault(PROJECTIONS, OUTPUT, MLP, HEAD, start=None, held_out=True)
def inputs_through_fp16(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    found = _one(graph.maps(place), rng)
    graph.change(found.node.inputs[0], lambda x: _through(graph, x, ir.DataType.FLOAT16), only=found.node)


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


# Attention


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
    graph.change(graph.softmax(place).outputs[0], lambda x: _veltkamp(graph, x, _bits(strength)))


@fault(ATTENTION, start=None)
def softmax_through_fp16(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    graph.change(graph.softmax(place).outputs[0], lambda x: _through(graph, x, ir.DataType.FLOAT16))


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
    graph.change(context, lambda x: _blend(graph, x, graph.op("Gather", x, chosen, axis=1), strength))


@fault(ATTENTION, start=1e-6)
def context_of_one_head_scaled(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    factors = graph.constant(1 + strength * _one_head(graph, place, rng))
    graph.change(graph.mixing(place).outputs[0], lambda x: graph.op("Mul", x, factors))


@fault(ATTENTION, PROJECTIONS, start=1e-6)
def key_and_value_swapped(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Replace the values by keys in the attention; exchange keys and values in the projections."""
    layer = place.split(",")[0].removeprefix("layer ")
    key, value = (_output(graph, f"{kind}.{layer}") for kind in ("key", "value"))
    if segment_of(place) == ATTENTION:
        mixing = graph.mixing(place)
        if mixing.inputs[1] is not value:
            raise NotHere  # grouped heads are repeated before the mixing
        graph.change(value, lambda x: _blend(graph, x, key, strength), only=mixing)
        return
    old_key, old_value = graph.keep(key), graph.keep(value)
    graph.change(key, lambda _: _blend(graph, old_key, old_value, strength))
    graph.change(value, lambda _: _blend(graph, old_value, old_key, strength))


@fault(ATTENTION, start=1e-5, held_out=True)
def one_value_is_the_one_before(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    """Give one position the value of the position before, like a cache that is one step behind."""
    mixing, position = graph.mixing(place), 1 + int(rng.integers(8))
    before = graph.constant(np.arange(LONGEST) - (np.arange(LONGEST) == position))

    def stale(value: ir.Value) -> ir.Value:
        length = graph.op("Gather", graph.op("Shape", value), graph.constant(np.array([2])), axis=0)
        zero = graph.constant(np.array([0]))
        order = graph.op("Slice", before, zero, length)
        return _blend(graph, value, graph.op("Gather", value, order, axis=2), strength)

    graph.change(mixing.inputs[1], stale, only=mixing)


# The embedding


@fault(EMBEDDING, start=1e-6)
def positions_off_by_one(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    *_, node = graph.nodes(place, "Gather")
    table = graph.array(node.inputs[0])
    if len(graph.nodes(place, "Add")) == 0:
        raise NotHere  # with rotary positions, the embedding has none
    graph.put((node, 0), table + strength * (np.roll(table, -1, axis=0) - table))


@fault(EMBEDDING, start=1e-6, held_out=True)
def embedding_scaled(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    node = next(n for n in graph.nodes(place, "Gather") if n.inputs[0] is not None and n.inputs[0].is_initializer())
    graph.put((node, 0), graph.array(node.inputs[0]) * (1 + strength))


#: The longest sequence for faults that depend on positions.
LONGEST = 1024


def _one(found: list[Map], rng: Generator) -> Map:
    if not found:
        raise NotHere
    return found[rng.integers(len(found))]


def _bias(graph: Graph, place: str, rng: Generator) -> tuple[tuple[ir.Node, int], Array]:
    found = [each.bias for each in graph.maps(place) if each.bias is not None]
    if not found:
        raise NotHere
    node, index = found[rng.integers(len(found))]
    return (node, index), graph.array(node.inputs[index])


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
    return _input(cube, 0), product.outputs[0]


def _mask(graph: Graph, place: str) -> ir.Node:
    """Return the node that selects between a score and the number for a hidden key."""
    producer = _input(graph.softmax(place), 0).producer()
    if producer is None or producer.op_type != "Where":
        raise NotHere
    return producer


def _bias_scores(graph: Graph, place: str, pattern: Callable[[Array, Array], Array]) -> None:
    """Add `pattern(query, key)` to the scores. Its arguments are positions: a column and a row of integers."""
    softmax = graph.softmax(place)
    scores = _input(softmax, 0)
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


def _hidden(graph: Graph) -> int:
    return int(_output(graph, "hidden_state.0").shape[-1])  # type: ignore[index,arg-type]


def _output(graph: Graph, name: str) -> ir.Value:
    found = [value for value in graph.model.graph.outputs if value.name == name]
    if not found:
        raise NotHere
    return found[0]


def _is_state(value: ir.Value) -> bool:
    return str(value.name).startswith(("hidden_state.", "mid_state."))


def _input(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index]
    assert value is not None
    return value


def _blend(graph: Graph, one: ir.Value, other: ir.Value, strength: float) -> ir.Value:
    """Return the interpolation from one value to another by `strength`; at 1 the other value without rounding."""
    if strength == 1:
        return graph.op("Identity", other)
    return graph.op("Add", one, graph.op("Mul", graph.op("Sub", other, one), graph.constant(strength)))


def _through(graph: Graph, value: ir.Value, dtype: ir.DataType) -> ir.Value:
    narrow = graph.op("Cast", value, to=int(dtype))
    return graph.op("Cast", narrow, to=int(ir.DataType.from_numpy(graph.dtype)))


def _bits(strength: float) -> int:
    """Return the number of bits to keep for a relative error of up to `strength`."""
    return max(1, round(-np.log2(strength)))


def _veltkamp(graph: Graph, value: ir.Value, bits: int) -> ir.Value:
    """Round a value to `bits` bits with arithmetic operators only (Veltkamp's splitting; Dekker 1971, section 5)."""
    dropped = BITS[graph.dtype] - bits
    if dropped <= 0:
        raise NotHere
    scaled = graph.op("Mul", value, graph.constant(2.0**dropped + 1))
    return graph.op("Sub", scaled, graph.op("Sub", scaled, value))


def _rounded(array: Array, bits: int) -> Array:
    """Return an array with significands rounded to `bits` bits."""
    fraction, exponent = np.frexp(array)
    rounded: Array = np.ldexp(np.round(np.ldexp(fraction, bits)), exponent - bits)
    return rounded


def _rms(array: Array) -> float:
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))

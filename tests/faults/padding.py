"""Faults of padding: wrong uses of the attention mask, which have no effect without padding.

Each edits a graph in memory, of either exporter, with or without names, and has the words by which a verdict names it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from compare.numerics.padding import COUNTED, IGNORED, ONE_OFF, WRONG_SIDE
from tests.faults.graph import Graph
from tests.faults.kinds.fault import NotHere


@dataclass(frozen=True)
class PaddingFault:
    """A fault of padding.

    plant: edits a graph. words: its name in a verdict. left_alone: whether only padding on the left shows it.
    """

    plant: Callable[[Graph], None]
    words: str
    left_alone: bool = False


def mask_ignored(graph: Graph) -> None:
    """Make attention and positions ignore the mask, as if the export had not passed it on."""
    _attention(graph, lambda mask: _ones(graph, mask))
    positions_that_count_padding(graph)


def mask_ignored_by_attention(graph: Graph) -> None:
    _attention(graph, lambda mask: _ones(graph, mask))


def mask_ignored_in_one_layer(graph: Graph) -> None:
    """Select the scores of the last layer by the causal mask alone."""
    softmax = [node for node in graph.model.graph if node.op_type == "Softmax"][-1]
    where = softmax.inputs[0].producer() if softmax.inputs[0] is not None else None
    if where is None or where.op_type != "Where":
        raise NotHere
    both = next(node for node in graph.above(where) if node.op_type == "And")
    causal = both.inputs[0]
    assert causal is not None
    graph.change(where.inputs[0], lambda _: graph.op("Identity", causal), only=where)


def mask_on_the_wrong_side(graph: Graph) -> None:
    _attention(graph, lambda mask: _backwards(graph, mask))


def mask_and_positions_on_the_wrong_side(graph: Graph) -> None:
    for node in _readers(graph, "attention_mask"):
        graph.change(_input(graph, "attention_mask"), lambda mask: _backwards(graph, mask), only=node)


def mask_one_position_early(graph: Graph) -> None:
    """Shift the mask, like a mask that was cut for a past that does not exist."""
    _attention(graph, lambda mask: graph.op("Concat", _cut(graph, mask, 1, LAST), _one(graph, mask), axis=1))


def mask_one_position_late(graph: Graph) -> None:
    _attention(graph, lambda mask: graph.op("Concat", _one(graph, mask), _cut(graph, mask, 0, -1), axis=1))


def positions_that_count_padding(graph: Graph) -> None:
    """Number the positions as transformers' own forward pass does if it is given none."""
    for node in _readers(graph, "attention_mask"):
        if node.op_type == "CumSum":
            graph.change(_input(graph, "attention_mask"), lambda mask: _ones(graph, mask), only=node)
    for value in graph.model.graph.inputs:
        if value.name == "position_ids":
            graph.change(value, lambda positions: _counted(graph, _ones(graph, positions)))


PADDING_FAULTS = {
    "mask ignored": PaddingFault(mask_ignored, IGNORED, left_alone=True),
    "mask ignored by attention": PaddingFault(mask_ignored_by_attention, IGNORED, left_alone=True),
    "mask ignored in one layer": PaddingFault(mask_ignored_in_one_layer, IGNORED, left_alone=True),
    "mask on the wrong side": PaddingFault(mask_on_the_wrong_side, WRONG_SIDE),
    "mask and positions on the wrong side": PaddingFault(mask_and_positions_on_the_wrong_side, WRONG_SIDE),
    "mask one position early": PaddingFault(mask_one_position_early, ONE_OFF),
    "mask one position late": PaddingFault(mask_one_position_late, ONE_OFF, left_alone=True),
    "positions that count padding": PaddingFault(positions_that_count_padding, COUNTED, left_alone=True),
}

#: The end of an axis in a slice.
LAST = 2**63 - 1


def _attention(graph: Graph, by: Callable[[ir.Value], ir.Value]) -> None:
    """Make attention read another mask; positions still read the original one."""
    for node in _readers(graph, "attention_mask"):
        if node.op_type != "CumSum":
            graph.change(_input(graph, "attention_mask"), by, only=node)


def _readers(graph: Graph, name: str) -> Iterator[ir.Node]:
    """Yield the nodes that read the numbers of an input, not only its shape."""
    return iter([node for node in _input(graph, name).consumers() if node.op_type != "Shape"])


def _input(graph: Graph, name: str) -> ir.Value:
    return next(value for value in graph.model.graph.inputs if value.name == name)


def _ones(graph: Graph, like: ir.Value) -> ir.Value:
    one = ir.tensor(np.array([1], dtype=np.int64))
    return graph.op("ConstantOfShape", graph.op("Shape", like), value=one)


def _counted(graph: Graph, mask: ir.Value) -> ir.Value:
    total = graph.op("CumSum", mask, graph.constant(np.array(1)))
    return graph.op("Sub", total, graph.constant(np.array([1])))


def _backwards(graph: Graph, mask: ir.Value) -> ir.Value:
    ends = graph.constant(np.array([-1])), graph.constant(np.array([-LAST]))
    return graph.op("Slice", mask, *ends, graph.constant(np.array([1])), graph.constant(np.array([-1])))


def _cut(graph: Graph, mask: ir.Value, start: int, end: int) -> ir.Value:
    axis = graph.constant(np.array([1]))
    return graph.op("Slice", mask, graph.constant(np.array([start])), graph.constant(np.array([end])), axis)


def _one(graph: Graph, mask: ir.Value) -> ir.Value:
    """Return a column of ones that extends the mask."""
    return _cut(graph, _ones(graph, mask), 0, 1)

"""A graph in a lower precision: each number that it reads or computes is rounded, as by kernels that sum in float32."""

from functools import partial

import numpy as np
import onnx
import onnx_ir as ir

from tests.faults.graph import PLANTED, Array, Graph
from tests.faults.kinds.edits import through

#: Precision -> its type in ONNX.
TYPES = {"bf16": ir.DataType.BFLOAT16, "fp16": ir.DataType.FLOAT16}

#: Operators that only move numbers, which are rounded already.
_MOVES = ("Concat", "Expand", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")


def rounded(serialized: bytes, precision: str) -> bytes:
    """Return a float32 graph with every weight and every result of an operator rounded to a precision.

    Nodes that a fault added count as one kernel: only what leaves them is rounded.
    """
    typed = onnx.shape_inference.infer_shapes(onnx.load_from_string(serialized))
    graph, kind = Graph(typed.SerializeToString(), prefix="rounded"), TYPES[precision]
    for value in graph.model.graph.initializers.values():
        if value.dtype == ir.DataType.FLOAT:
            value.const_value = ir.tensor(nearest(graph.array(value), kind), name=value.name)
    for node in list(graph.model.graph):
        for value in node.outputs:
            if value.dtype == ir.DataType.FLOAT and node.op_type not in _MOVES and not _inside(value):
                graph.change(value, partial(through, graph, dtype=kind))
    return graph.serialized()


def nearest(array: Array, kind: ir.DataType) -> Array:
    """Return the nearest finite numbers of a type, as float32."""
    most = _LARGEST[kind]
    return array.clip(-most, most).astype(kind.numpy()).astype(np.float32)


#: Type -> its largest finite number.
_LARGEST = {ir.DataType.BFLOAT16: (2 - 2.0**-7) * 2.0**127, ir.DataType.FLOAT16: 65504.0}


def _inside(value: ir.Value) -> bool:
    """Return whether a value goes from one planted node to others only."""
    node = value.producer()
    return _planted(node) and not value.is_graph_output() and all(map(_planted, value.consumers()))


def _planted(node: ir.Node | None) -> bool:
    return node is not None and (node.name or "").startswith(PLANTED)

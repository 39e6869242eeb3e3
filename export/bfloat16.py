"""Arithmetic in bf16 inside a graph, computed in float32 and rounded, because ONNX Runtime has none on the CPU.

A few models compute a small tensor in bf16 whatever their own type is, such as the linear biases of Falcon.
"""

import onnx_ir as ir

_NARROW, _WIDE = ir.DataType.BFLOAT16, ir.DataType.FLOAT


def widen_bfloat16(graph: ir.Graph) -> None:
    """Compute every operator with results in bf16 in float32, and round its results to bf16.

    One operator on bf16 numbers has the same result in both ways, because torch too computes it in float32.
    """
    for node in list(graph):
        if node.op_type == "Cast" or not any(value.dtype == _NARROW for value in node.outputs):
            continue
        for number, value in enumerate(node.inputs):
            if value is not None and value.dtype == _NARROW:
                widened = _cast(value, _WIDE)
                graph.insert_before(node, widened)
                node.replace_input_with(number, widened.outputs[0])
        for value in node.outputs:
            if value.dtype == _NARROW:
                uses = tuple(value.uses())
                value.dtype = _WIDE
                rounded = _cast(value, _NARROW)
                graph.insert_after(node, rounded)
                for user, number in uses:
                    user.replace_input_with(number, rounded.outputs[0])


def _cast(value: ir.Value, to: ir.DataType) -> ir.Node:
    """Return a node that casts a value to a type."""
    node = ir.node("Cast", [value], attributes={"to": int(to)})
    (made,) = node.outputs
    made.name, made.shape, made.dtype = f"{value.name}.{to.name}", value.shape, to
    return node

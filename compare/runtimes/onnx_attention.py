"""The conversion for onnxruntime-attention: each attention of a graph becomes one Attention operator of ONNX."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter.pattern import ANY_VALUE, OrValue, RewriteRule, RewriteRuleSet
from onnxscript.version_converter import convert_version

from compare.runtimes.spec import Graph
from export.errors import CannotRun

#: The first opset with the Attention operator, and the version of ONNX's file format that belongs to it.
OPSET, IR_VERSION = 23, 11

#: The value of `qk_matmul_output_mode` for the probabilities.
_PROBABILITIES = 3


def convert(folder: Path, out: Path, graphs: tuple[Graph, ...]) -> dict[str, str]:
    """Replace the attention of each layer, and count the operators. The weights are copied, not changed.

    Raises `CannotRun` if a graph has no attention in the form of `export.attention.graph_attention`.
    """
    counts, weights = {}, set()
    for graph in graphs:
        model = ir.load(folder / f"{graph}.onnx")
        convert_version(model, OPSET)
        model.ir_version = max(model.ir_version, IR_VERSION)
        counts[graph] = fuse_attention(model)
        if not counts[graph]:
            raise CannotRun(
                f"no attention of {graph}.onnx could be replaced by ONNX's Attention operator, because none has the "
                "form that the default exporter, dynamo, writes; leave out --exporter"
            )
        tensors = (value.const_value for value in model.graph.initializers.values())
        weights |= {tensor.location for tensor in tensors if isinstance(tensor, ir.ExternalTensor)}
        ir.save(model, out / f"{graph}.onnx")
    for location in weights:
        shutil.copyfile(folder / location, out / location)
    notes = {"deploy": "fused", "decode": "fused for decoding"}  # a model without a cache has no graph for decoding
    return {note: f"{counts[graph]} Attention" for graph, note in notes.items() if graph in counts}


def fuse_attention(model: ir.Model) -> int:
    """Replace attentions of a model in place by Attention operators, and return their number.

    An operator returns the probabilities only if the graph outputs them.
    """
    count = _RULES.apply_to_model(model)
    for node in model.graph:
        if node.op_type == "Attention":
            for present in node.outputs[1:3]:
                present.name = ""  # omits an output that nobody reads: the keys and values, joined with a past
    return count


def _context_and_probabilities(
    op: Any, query: Any, key: Any, merged: Any, value: Any, mask: Any, scale: Any, lowest: Any
) -> tuple[Any, Any]:
    """Return the context and the probabilities of `export.attention.graph_attention`, as a pattern of nodes."""
    product = op.MatMul(query, _transposed(op, key, merged))
    probabilities = op.Softmax(op.Where(mask, op.Mul(product, scale), lowest), axis=-1)
    return op.MatMul(probabilities, _repeated(op, value)), probabilities


def _transposed(op: Any, key: Any, merged: Any) -> Any:
    """Return the pattern of transposed key heads, or of one transposition that also splits the heads of an encoder."""
    return OrValue([op.Transpose(_repeated(op, key), perm=[0, 1, 3, 2]), op.Transpose(merged, perm=[0, 2, 3, 1])])


def _repeated(op: Any, heads: Any) -> Any:
    """Return the pattern of key or value heads, each repeated for every query head that shares it."""
    return OrValue([op.Reshape(op.Expand(op.Unsqueeze(heads, ANY_VALUE), ANY_VALUE), ANY_VALUE), heads])


def _context(op: Any, query: Any, key: Any, merged: Any, value: Any, mask: Any, scale: Any, lowest: Any) -> Any:
    return _context_and_probabilities(op, query, key, merged, value, mask, scale, lowest)[0]


def _is_plain(_: Any, scale: Any, lowest: Any, **__: Any) -> bool:
    """Return whether the scale is a constant, and hidden scores are the lowest number, as in the operator."""
    return _number(scale) is not None and _number(lowest) == np.finfo(np.float32).min


def _number(value: ir.Value) -> float | None:
    """Return the number that a value always has; None if it is computed, or has several numbers."""
    tensor = ir.convenience.get_const_tensor(value)
    return float(tensor.numpy().item()) if tensor is not None and tensor.size == 1 else None


def _attention(op: Any, **found: Any) -> Any:
    return op.Attention(*_inputs(op, **found), scale=_number(found["scale"]))


def _attention_and_probabilities(op: Any, **found: Any) -> Any:
    given = {"scale": _number(found["scale"]), "qk_matmul_output_mode": _PROBABILITIES, "_outputs": 4}
    context, _, _, probabilities = op.Attention(*_inputs(op, **found), **given)
    return context, probabilities


def _inputs(op: Any, query: Any, value: Any, mask: Any, key: Any = None, merged: Any = None, **_: Any) -> list[Any]:
    """Return the inputs of the operator for what a pattern found."""
    heads = op.Transpose(merged, perm=[0, 2, 1, 3]) if key is None else key
    return [query, heads, value, _with_queries(op, mask, query)]


def _with_queries(op: Any, mask: ir.Value, query: Any) -> Any:
    """Return a mask with a row for each query. ONNX Runtime does not repeat the only row of an encoder's mask."""
    if mask.shape is None or mask.shape[-2] != 1:
        return mask
    one, queries = op.Constant(value_ints=[1]), op.Shape(query, start=2, end=3)
    return op.Expand(mask, op.Concat(one, one, queries, one, axis=0))


#: A rule applies only if nothing else reads what it replaces, so the first one leaves probabilities that are outputs.
_RULES = RewriteRuleSet(
    [
        RewriteRule(_context, _attention, _is_plain),
        RewriteRule(_context_and_probabilities, _attention_and_probabilities, _is_plain),
    ]
)

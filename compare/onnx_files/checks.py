"""Check that a graph is one: single assignment, nodes in order, known types, sizes that can be.

ONNX's own checker is written in C++, and a hostile graph can end the process that calls it. Whether a runtime knows the
operators is for that runtime to say, in a process of its own.
"""

import re
from collections.abc import Collection
from math import prod

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto
from onnx.helper import tensor_dtype_to_np_dtype

from compare.runtimes.onnx_inputs import TAP
from export.errors import quoted

#: The domain of ONNX's own operators, which files also give as an empty name.
DEFAULT_DOMAIN = "ai.onnx"

#: The largest version of an operator set, or of the format. Those of today are below 30.
LARGEST_VERSION = 1000

#: The most characters of the name of an input or output, and the largest dimension of a tensor.
LONGEST_NAME, LARGEST_DIMENSION = 1000, 2**31 - 1

#: The most outputs. A model of 100 layers has 702 with every tap.
MOST_OUTPUTS = 10_000

#: The most dimensions of a tensor, which are those of NumPy.
MOST_DIMENSIONS = 64

#: Bits of a number, for the types that take less than a byte: INT4, UINT4, FLOAT4E2M1, UINT2 and INT2.
_BITS = {TensorProto.INT4: 4, TensorProto.UINT4: 4, 23: 4, 25: 2, 26: 2}

#: What the metadata may name an output: a tap of any layer.
_TAP_NAME = re.compile(r"[a-z_]+(\.[0-9]{1,6})?")


class Defect(Exception):
    """A graph cannot be one. The message follows the file's name: "has two nodes that write 'x'"."""


def check_graph(model: ModelProto) -> None:
    """Raise `Defect` if a model cannot be one.

    >>> node = NodeProto(op_type="Add", input=["a", "sum"], output=["sum"])
    >>> graph = GraphProto(node=[node], input=[ValueInfoProto(name="a")], output=[ValueInfoProto(name="sum")])
    >>> check_graph(ModelProto(ir_version=8, opset_import=[{"version": 18}], graph=graph))
    Traceback (most recent call last):
    ...
    compare.onnx_files.checks.Defect: has a node Add that reads 'sum', which no node before it makes
    """
    _check_versions(model)
    for value in (*model.graph.input, *model.graph.output):
        _check_declaration(value)
    _check_scope(model.graph, [])
    _check_functions(model)
    for entry in model.metadata_props:
        check_text(entry.key, entry.value)
        if entry.key.startswith(TAP) and _TAP_NAME.fullmatch(entry.value) is None:
            raise Defect(f"names an output {quoted(entry.value)} in its metadata, which is no tensor of a model")


def check_tensor(tensor: TensorProto) -> int:
    """Return how many bytes a tensor's numbers take. Raise `Defect` for a type or a shape that cannot be."""
    bits: int | None = _BITS.get(tensor.data_type)
    if bits is None:
        try:
            bits = 8 * tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        except (KeyError, TypeError, ValueError) as error:
            raise Defect(f"has a tensor {quoted(tensor.name)} of the unknown type {tensor.data_type}") from error
    if len(tensor.dims) > MOST_DIMENSIONS:
        raise Defect(f"has a tensor {quoted(tensor.name)} of {len(tensor.dims):,} dimensions")
    wrong = next((size for size in tensor.dims if not 0 <= size <= LARGEST_DIMENSION), None)
    if wrong is not None:
        raise Defect(f"has a tensor {quoted(tensor.name)} with a dimension of {wrong:,}")
    size = -(-prod(map(int, tensor.dims)) * bits // 8)
    if tensor.HasField("raw_data") and tensor.data_type != TensorProto.STRING and len(tensor.raw_data) != size:
        raise Defect(
            f"has {len(tensor.raw_data):,} bytes for the tensor {quoted(tensor.name)}, whose shape needs {size:,}"
        )
    return size


def check_text(*strings: object) -> None:
    """Check that strings are text. protobuf gives those that are not UTF-8 as bytes."""
    if not all(isinstance(string, str) for string in strings):
        raise Defect("has a name that is not UTF-8")


def _check_versions(model: ModelProto) -> None:
    check_text(*(opset.domain for opset in model.opset_import))
    sets = [(f"operator set {quoted(opset.domain or DEFAULT_DOMAIN)}", opset.version) for opset in model.opset_import]
    for what, version in [("format", model.ir_version), *sets]:
        if not 1 <= version <= LARGEST_VERSION:
            raise Defect(f"gives {version} as the version of the {what}, and there is no such version")
    imported = {opset.domain or DEFAULT_DOMAIN for opset in model.opset_import}
    for node in model.graph.node:
        if (node.domain or DEFAULT_DOMAIN) not in imported:
            domain = quoted(node.domain or DEFAULT_DOMAIN)
            raise Defect(f"has {_called(node)} of the operator set {domain}, and imports no version of that")


def _check_declaration(value: ValueInfoProto) -> None:
    if len(value.name) > LONGEST_NAME:
        raise Defect(f"declares an input or output whose name has {len(value.name):,} characters")
    kind = value.type.tensor_type.elem_type
    check_text(value.name)
    if kind not in TensorProto.DataType.values():
        raise Defect(f"declares {quoted(value.name)} with the unknown type {kind}")
    dimensions = value.type.tensor_type.shape.dim
    if len(dimensions) > MOST_DIMENSIONS:
        raise Defect(f"declares {quoted(value.name)} with {len(dimensions):,} dimensions")
    for dimension in dimensions:
        if dimension.HasField("dim_value") and not 0 <= dimension.dim_value <= LARGEST_DIMENSION:
            raise Defect(f"declares {quoted(value.name)} with a dimension of {dimension.dim_value:,}")


def _check_scope(graph: GraphProto, outer: list[set[str]]) -> None:
    """Check the names of a graph and of the branches and loops in it, which nest less deeply than Python's calls.

    outer: the names that graphs around it have made so far.
    """
    weights = [tensor.name for tensor in graph.initializer]
    weights += [tensor.values.name for tensor in graph.sparse_initializer]
    inputs = [value.name for value in graph.input]
    check_text(*weights, *inputs, *(value.name for value in graph.output))
    _check_once(inputs, "inputs")
    _check_once(weights, "tensors")
    known = {*inputs, *weights}
    scopes = [*outer, known]
    for node in graph.node:
        check_text(node.op_type, node.domain, node.name, *node.input, *node.output)
        for name in node.input:
            if name and not any(name in names for names in scopes):
                raise Defect(f"has {_called(node)} that reads {quoted(name)}, which no node before it makes")
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                _check_scope(inner, scopes)
        if not any(node.output):
            raise Defect(f"has {_called(node)} that writes nothing")
        for name in filter(None, node.output):
            if name in known:
                raise Defect(f"has {_called(node)} that writes {quoted(name)}, which exists already")
            known.add(name)
    outputs = [value.name for value in graph.output]
    _check_once(outputs, "outputs")
    if len(outputs) > MOST_OUTPUTS:
        raise Defect(f"has {len(outputs):,} outputs, and at most {MOST_OUTPUTS:,} are compared")
    for name in outputs:
        if not any(name in names for names in scopes):
            raise Defect(f"has an output {quoted(name)}, which no node makes")


def _check_once(names: Collection[str], what: str) -> None:
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise Defect(f"has two {what} named {quoted(twice)}")


def _called(node: NodeProto) -> str:
    """Return how a message calls a node."""
    domain = f"{node.domain}." if node.domain not in ("", "ai.onnx") else ""
    name = f" {quoted(node.name)}" if node.name else ""
    kind = f"{domain}{node.op_type}"
    return f"a node {kind if kind.isidentifier() and len(kind) < 80 else quoted(kind)}{name}"


def _check_functions(model: ModelProto) -> None:
    """Check that no function calls itself, also by way of others: runtimes put its nodes in place of a call."""
    calls = {
        (function.domain, function.name, function.overload): [
            (node.domain, node.op_type, node.overload) for node in function.node
        ]
        for function in model.functions
    }
    for function, called_by_it in calls.items():
        check_text(*function, *(word for called in called_by_it for word in called))
    done: set[tuple[str, str, str]] = set()
    for start in calls:
        path = [(start, list(calls[start]))]
        within = {start}
        while path:
            function, left = path[-1]
            if not left:
                path.pop()
                within.discard(function)
                done.add(function)
                continue
            called = left.pop()
            if called in within:
                raise Defect(f"has a function {quoted(called[1])} that calls itself")
            if called in calls and called not in done:
                within.add(called)
                path.append((called, list(calls[called])))

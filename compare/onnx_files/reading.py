"""An ONNX file that a person named: read, and refused where it is broken or reaches outside its folder.

The file is someone else's, so nothing in it is believed: where its tensors lie is looked at before anything opens them.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path, PurePosixPath, PureWindowsPath

from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto
from onnx.helper import tensor_dtype_to_np_dtype

from compare.runtimes.onnx_inputs import GraphInput
from export.errors import BadInput

#: Operators that compute in, or convert from, integers of eight bits or fewer.
_QUANTIZED = ("QLinear", "Quantize", "Dequantize", "DynamicQuantize", "MatMulInteger", "MatMulNBits", "ConvInteger")

_HALVES = {TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}


@dataclass(frozen=True)
class OnnxFile:
    """A file that holds a whole graph. external: where its tensors lie, by the location that the graph writes."""

    path: Path
    model: ModelProto
    external: dict[str, Path]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def opset(self) -> int:
        """The version of ONNX's own operators; 0 where it uses none."""
        return next((int(o.version) for o in self.model.opset_import if o.domain in ("", "ai.onnx")), 0)

    @property
    def inputs(self) -> list[GraphInput]:
        """What has to be fed: older graphs list their initializers among the inputs too."""
        held = {tensor.name for tensor in self.model.graph.initializer}
        return [graph_input(value) for value in self.model.graph.input if value.name not in held]

    @property
    def outputs(self) -> dict[str, tuple[int | None, ...] | None]:
        """Output -> its shape as it is declared, None for a free dimension; None where nothing is declared."""
        return {value.name: shape_of(value) for value in self.model.graph.output}

    @property
    def quantized(self) -> list[str]:
        """The operators that compute with quantized numbers, by name."""
        return sorted({node.op_type for node in nodes(self.model.graph) if node.op_type.startswith(_QUANTIZED)})

    @property
    def halves(self) -> list[str]:
        """The half precisions that weights are stored in."""
        kinds = {tensor.data_type for tensor in tensors(self.model)}
        return sorted(name for kind, name in _HALVES.items() if kind in kinds)

    @cached_property
    def files(self) -> list[Path]:
        """The file itself and those that hold its tensors."""
        return [self.path, *(self.external[location] for location in sorted(self.external))]

    @property
    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files)

    def sha256(self) -> str:
        """The hexadecimal digest of the file and then of those that hold its tensors, one after the other."""
        digest = hashlib.sha256()
        for path in self.files:
            with path.open("rb") as file:
                while block := file.read(2**20):
                    digest.update(block)
        return digest.hexdigest()


def read_onnx_file(path: Path) -> OnnxFile:
    """Read a graph, its large tensors left where they lie.

    Raises `BadInput` where there is no such file, it is no ONNX graph or not a whole one, or its tensors are not all in
    files beside it, in the lengths that it says.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"the ONNX file {path} cannot be read: {error.strerror}") from error
    model = ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise _no_graph(path, len(content)) from error
    if not (model.ir_version and model.opset_import and model.graph.node and model.graph.output):
        raise _no_graph(path, len(content))
    external: dict[str, Path] = {}
    for tensor in tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL:
            location, place = _external(path, tensor)
            external[location] = place
    return OnnxFile(path, model, external)


def graph_input(value: ValueInfoProto) -> GraphInput:
    """An input as it is declared."""
    kind = value.type.tensor_type.elem_type
    known = value.type.HasField("tensor_type") and kind not in (TensorProto.UNDEFINED, TensorProto.STRING)
    return GraphInput(value.name, str(tensor_dtype_to_np_dtype(kind)) if known else "unknown", shape_of(value))


def shape_of(value: ValueInfoProto) -> tuple[int | None, ...] | None:
    """A declared shape, None for a free dimension; None where nothing is declared."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)


def nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """All nodes of a graph in its order, those of branches and loops after the node that holds them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from nodes(inner)


def tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor that a model holds or refers to: initializers and constants, at any depth."""
    yield from _initializers(model.graph)
    for node in chain(nodes(model.graph), *(function.node for function in model.functions)):
        for attribute in node.attribute:
            yield from _held(attribute)


def _held(attribute: AttributeProto) -> Iterator[TensorProto]:
    yield attribute.t
    yield from attribute.tensors
    for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
        yield from (sparse.values, sparse.indices)
    for inner in (attribute.g, *attribute.graphs):
        yield from _initializers(inner)


def _initializers(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)


def _no_graph(path: Path, size: int) -> BadInput:
    return BadInput(f"{path} ({size:,} bytes) is no ONNX graph, or not a whole one; export it again, or copy it again")


def _external(path: Path, tensor: TensorProto) -> tuple[str, Path]:
    """Where a tensor lies: the location as written, and the file. Raises `BadInput` where it is not to be opened.

    ONNX, "External Data": the location is a path relative to the folder of the graph. A link may lead on to a file
    beside the one that the graph itself is a link to, as it is in the cache of the hub's library.
    """
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    lexical = [kind(location) for kind in (PurePosixPath, PureWindowsPath)]
    place = (path.parent / location).resolve()
    homes = (path.parent.resolve(), path.resolve().parent)
    if any(p.is_absolute() or p.drive or ".." in p.parts for p in lexical) or not any(
        place.is_relative_to(home) for home in homes
    ):
        raise BadInput(
            f"{path} reaches outside its folder: it keeps {tensor.name} in {location!r}; "
            "save it again with its weights beside it (onnx.save_model, save_as_external_data=True)"
        )
    if not place.is_file():
        raise BadInput(f"{path} keeps {tensor.name} in {location!r}, and there is no such file beside it; copy it too")
    try:
        start, length = int(entries.get("offset", 0)), int(entries.get("length", 0))
    except ValueError:
        raise BadInput(f"{path} does not say in numbers where in {location!r} {tensor.name} lies") from None
    size = place.stat().st_size
    if start < 0 or length < 0 or start + length > size:
        raise BadInput(
            f"{place.name} has {size:,} bytes, and {path} looks for {tensor.name} in those from {start:,} to "
            f"{start + length:,}; it is not whole, or of another export: copy it again"
        )
    return location, place

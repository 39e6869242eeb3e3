"""Read an ONNX file, and refuse one that is broken or refers to files outside its folder.

The file may come from anyone, so nothing in it is trusted: the paths of its tensors are checked before they are opened.
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
    """An ONNX file and the files with its weights.

    path: the file. model: its content. external: location of tensors as written in the graph -> the file there.
    """

    path: Path
    model: ModelProto
    external: dict[str, Path]

    @property
    def name(self) -> str:
        """The name of the file, without its folder."""
        return self.path.name

    @property
    def opset(self) -> int:
        """The version of ONNX's own operators; 0 if it uses none."""
        return next((int(o.version) for o in self.model.opset_import if o.domain in ("", "ai.onnx")), 0)

    @property
    def inputs(self) -> list[GraphInput]:
        """The inputs that must be fed. Older graphs also list initializers, which are left out."""
        held = {tensor.name for tensor in self.model.graph.initializer}
        return [graph_input(value) for value in self.model.graph.input if value.name not in held]

    @property
    def outputs(self) -> dict[str, tuple[int | None, ...] | None]:
        """Output -> its declared shape, with None for a dynamic dimension; None if no shape is declared."""
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
        """The file itself, and the files that hold its tensors."""
        return [self.path, *(self.external[location] for location in sorted(self.external))]

    @property
    def bytes(self) -> int:
        """The size of all of its files."""
        return sum(path.stat().st_size for path in self.files)

    def sha256(self) -> str:
        """Return one hexadecimal digest of all of its files, one after the other."""
        digest = hashlib.sha256()
        for path in self.files:
            with path.open("rb") as file:
                while block := file.read(2**20):
                    digest.update(block)
        return digest.hexdigest()


def read_onnx_file(path: Path) -> OnnxFile:
    """Read a graph without the tensors that are stored in other files.

    Raises `BadInput` if the file does not exist or is not a complete ONNX graph, or if a file with its tensors is
    missing, too short, or in another folder.
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
    """Return the declaration of an input."""
    kind = value.type.tensor_type.elem_type
    known = value.type.HasField("tensor_type") and kind not in (TensorProto.UNDEFINED, TensorProto.STRING)
    return GraphInput(value.name, str(tensor_dtype_to_np_dtype(kind)) if known else "unknown", shape_of(value))


def shape_of(value: ValueInfoProto) -> tuple[int | None, ...] | None:
    """Return a declared shape, with None for a dynamic dimension; None if no shape is declared."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)


def nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """Yield all nodes of a graph in order. Those of a branch or loop follow the node that contains it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from nodes(inner)


def tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Yield every tensor that a model contains or refers to: initializers and constants, also in subgraphs."""
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
    return BadInput(f"{path} ({size:,} bytes) is not a complete ONNX graph; export it again, or copy it again")


def _external(path: Path, tensor: TensorProto) -> tuple[str, Path]:
    """Return the location of an external tensor as the graph writes it, and the file there.

    Raises `BadInput` if the file must not be opened, does not exist, or is too short.

    ONNX, "External Data": the location is a path relative to the folder of the graph. If the graph is a symbolic link,
    the file may also be in the folder of the link's target, as in the cache of the hub's library.
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
            f"{path} refers to a file outside its folder: {tensor.name} is in {location!r}; "
            "save it again with its weights next to it (onnx.save_model, save_as_external_data=True)"
        )
    if not place.is_file():
        raise BadInput(f"{path} needs the file {location!r} for {tensor.name}, which does not exist; copy it too")
    try:
        start, length = int(entries.get("offset", 0)), int(entries.get("length", 0))
    except ValueError:
        raise BadInput(
            f"{path} gives no valid offset and length of {tensor.name} in {location!r}; export it again"
        ) from None
    size = place.stat().st_size
    if start < 0 or length < 0 or start + length > size:
        raise BadInput(
            f"{place.name} has {size:,} bytes, but {path} expects {tensor.name} in its bytes {start:,} to "
            f"{start + length:,}. The file is incomplete or belongs to another export; copy it again"
        )
    return location, place

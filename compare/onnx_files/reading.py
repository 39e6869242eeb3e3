"""Read an ONNX file, and refuse one that is broken or refers to files outside its folder.

The file may come from anyone, so nothing in it is trusted: the paths of its tensors are checked before they are opened.
"""

import hashlib
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path, PurePosixPath, PureWindowsPath

from google.protobuf.message import DecodeError
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto
from onnx.helper import tensor_dtype_to_np_dtype

from compare.onnx_files.checks import Defect, check_graph, check_tensor, check_text
from compare.runtimes.onnx_inputs import GraphInput
from export.errors import BadInput, CannotRun, quoted
from export.memory import available_bytes
from export.outside import open_regular, read_bytes, reason

#: The most bytes of a graph, which is protobuf's limit, and how often they are in memory while it is read.
MOST_BYTES, COPIES = 2**31 - 1, 3

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
        places = (self.external[location] for location in sorted(self.external))
        return [self.path, *dict.fromkeys(places)]  # "w.bin" and "./w.bin" are one file

    @property
    def bytes(self) -> int:
        """The size of all of its files."""
        return sum(path.stat().st_size for path in self.files)

    def sha256(self) -> str:
        """Return one hexadecimal digest of all of its files, one after the other."""
        digest = hashlib.sha256()
        for path in self.files:
            with open_regular(path) as file:
                while block := file.read(2**20):
                    digest.update(block)
        return digest.hexdigest()


def read_onnx_file(path: Path) -> OnnxFile:
    """Read a graph without the tensors that are stored in other files.

    Raises `BadInput` if the file is not a regular one with a whole ONNX graph, if the graph cannot be one
    (`compare.onnx_files.checks`), or if a file with its tensors is missing, too short, or in another folder, and
    `CannotRun` if it is too large for the free memory.
    """
    mend = "export the model again, or name another file"
    check_size(path)
    content = read_bytes(path, "ONNX file", MOST_BYTES, mend)
    model = ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise _no_graph(path, len(content)) from error
    if not (model.ir_version and model.opset_import and model.graph.node and model.graph.output):
        raise _no_graph(path, len(content))
    del content
    weights = _Weights(path)
    try:
        check_graph(model)
        for tensor in tensors(model):
            size = check_tensor(tensor)
            if tensor.data_location == TensorProto.EXTERNAL:
                weights.add(tensor, size)
    except Defect as error:
        raise BadInput(f"the ONNX file {path} {error}; {mend}") from error
    return OnnxFile(path, model, weights.files)


def check_size(path: Path) -> None:
    """Raise an error if a graph has more bytes than one can have, or than can be read into the free memory."""
    try:
        size = path.stat().st_size
    except (OSError, ValueError):
        return  # reading it says why
    if size > MOST_BYTES:
        raise BadInput(
            f"the ONNX file {path} has {size:,} bytes, and a graph has at most {MOST_BYTES:,} (protobuf's limit); save "
            "it with its weights in another file (onnx.save_model, save_as_external_data=True)"
        )
    if COPIES * size > available_bytes():
        raise CannotRun(
            f"reading the ONNX file {path} takes about {COPIES * size / 1e9:.1f} GB of memory, and "
            f"{available_bytes() / 1e9:.1f} GB are free"
        )


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


def nodes(graph: GraphProto | FunctionProto) -> Iterator[NodeProto]:
    """Yield all nodes of a graph or function in order. Those of a branch or loop follow the node that contains it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from nodes(inner)


def tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Yield every tensor that a model contains or refers to: initializers and constants, also in subgraphs."""
    yield from _initializers(model.graph)
    for node in chain(nodes(model.graph), *map(nodes, model.functions)):
        for attribute in node.attribute:
            yield from _held(attribute)


def _held(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
    for each in (*sparse, *attribute.sparse_tensors):
        yield from (each.values, each.indices)
    for inner in (attribute.g, *attribute.graphs):
        yield from _initializers(inner)


def _initializers(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)


def _no_graph(path: Path, size: int) -> BadInput:
    return BadInput(f"{path} ({size:,} bytes) is not a complete ONNX graph; export it again, or copy it again")


class _Weights:
    """The files with the external tensors of a graph, which are checked before they are opened.

    ONNX, "External Data": the location is a path relative to the folder of the graph. If the graph is a symbolic link,
    the file may also be in the folder of the link's target, as in the cache of the hub's library.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sizes: dict[str, int] = {}
        #: Location as written in the graph -> the file there.
        self.files: dict[str, Path] = {}

    def add(self, tensor: TensorProto, expected: int) -> None:
        """Take a tensor. expected: the bytes of its numbers.

        Raises `BadInput` if its file must not be opened, does not exist or is too short, or if the graph gives another
        length.
        """
        entries = {entry.key: entry.value for entry in tensor.external_data}
        check_text(*entries, *entries.values())
        location = entries.get("location", "")
        if location not in self.files:
            self.files[location] = self._found(location, tensor.name)
        try:
            start, length = int(entries.get("offset", 0)), int(entries.get("length", expected))
        except ValueError:
            raise BadInput(
                f"{self._path} gives no valid offset and length of {quoted(tensor.name)} in {quoted(location)}; "
                "export it again"
            ) from None
        size = self._sizes[location]
        if start < 0 or length < 0 or start + length > size:
            raise BadInput(
                f"{self.files[location].name} has {size:,} bytes, but {self._path} expects {quoted(tensor.name)} in "
                f"its bytes {start:,} to {start + length:,}. The file is incomplete or belongs to another export; copy "
                "it again"
            )
        if length != expected:
            raise BadInput(
                f"{self._path} gives {length:,} bytes to {quoted(tensor.name)}, whose shape needs {expected:,}; export "
                "it again"
            )

    def _found(self, location: str, tensor: str) -> Path:
        """Return the file at a location. tensor: the name of one that is there."""
        lexical = [kind(location) for kind in (PurePosixPath, PureWindowsPath)]
        try:
            place = (self._path.parent / location).resolve()
            homes = (self._path.parent.resolve(), self._path.resolve().parent)
            inside = any(place.is_relative_to(home) for home in homes)
        except (OSError, RuntimeError, ValueError) as error:  # a name that no file can have, or a link to itself
            raise BadInput(
                f"{self._path} refers to {quoted(location)} for {quoted(tensor)}, which no file can be; export it again"
            ) from error
        if any(p.is_absolute() or p.drive or ".." in p.parts for p in lexical) or not inside:
            raise BadInput(
                f"{self._path} refers to a file outside its folder: {quoted(tensor)} is in {quoted(location)}; "
                "save it again with its weights next to it (onnx.save_model, save_as_external_data=True)"
            )
        needs = f"{self._path} needs the file {quoted(location)} for {quoted(tensor)}, which"
        try:
            found = place.stat()
        except FileNotFoundError as error:
            raise BadInput(f"{needs} does not exist; copy it too") from error
        except OSError as error:
            raise BadInput(f"{needs} cannot be read: {reason(error)}; export it again") from error
        if not stat.S_ISREG(found.st_mode):
            raise BadInput(f"{needs} is not a regular file; export it again")
        self._sizes[location] = found.st_size
        return place

"""Read the header of a safetensors file: the places, types and shapes of its tensors.

A safetensors file stores its tensors as plain bytes at known offsets, to which ONNX's external data can refer. So each
weight is stored once, for the graphs and for transformers. The header is checked completely before anything else reads
the file, so a file that is cut, or whose header is wrong, is refused before its tensors take memory.
"""

import json
import math
import os
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from export.errors import BadInput, quoted
from export.outside import open_regular, reason, unreadable

WEIGHTS = "model.safetensors"

_MEND = "copy or download it again"

#: The most bytes of a header (safetensors README, "Format"), and the most dimensions of a tensor.
_HEADER, _DIMENSIONS = 100_000_000, 64

#: Type -> bits of an element.
_BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}


class Tensor(NamedTuple):
    """A tensor of a safetensors file. dtype: its type, in the format's own name. start, end: its place, in bytes."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def elements(self) -> int:
        """The number of its elements."""
        return math.prod(self.shape)


def tensors_in(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name.

    The file begins with eight bytes that give the length of a JSON header. The header and then the tensors follow,
    without gaps (safetensors README, "Format"). Raises `BadInput` if the file cannot be read or is not like that.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > size - 8:
                raise _damaged(path, f"it has {size:,} bytes, and its header alone would have {8 + length:,}")
            if length > _HEADER:
                raise _damaged(path, f"its header has {length:,} bytes; at most {_HEADER:,} are read")
            content = file.read(length)
    except (OSError, ValueError) as error:
        raise _damaged(path, reason(error)) from error
    try:
        header = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a JSON object")
    tensors = {n: _tensor(path, n, entry, 8 + length) for n, entry in header.items() if n != "__metadata__"}
    _check_places(path, tensors, 8 + length, size)
    return tensors


def tensor_offsets(path: Path) -> dict[str, tuple[int, int]]:
    """Return the position of each tensor in a safetensors file: name -> (offset in the file, length), in bytes."""
    return {name: (tensor.start, tensor.end - tensor.start) for name, tensor in tensors_in(path).items()}


def tensor_types(path: Path) -> dict[str, str]:
    """Return the type of each tensor in a safetensors file, in the format's own names: "F32", "BF16" and so on."""
    return {name: tensor.dtype for name, tensor in tensors_in(path).items()}


def _tensor(path: Path, name: str, entry: Any, start: int) -> Tensor:
    """Return a tensor from its entry in the header. start: the offset of the first tensor."""
    if not isinstance(entry, dict):
        raise _damaged(path, f"its header has {quoted(entry)} for {quoted(name)}")
    dtype, shape, place = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise _damaged(path, f"the type of {quoted(name)} is {quoted(dtype)}; known: {', '.join(_BITS)}")
    if not _are_sizes(shape) or len(shape) > _DIMENSIONS:
        raise _damaged(path, f"the shape of {quoted(name)} is {quoted(shape)}")
    if not _are_sizes(place) or len(place) != 2:
        raise _damaged(path, f"the place of {quoted(name)} is {quoted(place)}")
    bits, given = math.prod(shape) * _BITS[dtype], place[1] - place[0]
    if bits != 8 * given:
        what = f"{quoted(name)} is {dtype} of shape {quoted(shape)}"
        raise _damaged(path, f"{what}, but its place has {given:,} bytes")
    return Tensor(dtype, tuple(shape), start + place[0], start + place[1])


def _check_places(path: Path, tensors: dict[str, Tensor], start: int, size: int) -> None:
    """Raise `BadInput` unless the tensors follow each other without gaps from `start` to the end of the file."""
    end = start
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1][2:]):
        if tensor.start != end:
            what = f"{quoted(name)} begins at byte {tensor.start:,}"
            raise _damaged(path, f"{what}, and the tensor before it ends at {end:,}")
        end = tensor.end
    if end != size:
        raise _damaged(path, f"it has {size:,} bytes, and its header says {end:,}")


def _are_sizes(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**63 for item in value)


def _damaged(path: Path, why: str) -> BadInput:
    return unreadable(path, "weights file", why, _MEND)

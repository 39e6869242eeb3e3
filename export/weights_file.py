"""Read the positions and types of tensors in the weights file that all graphs of a folder share.

A safetensors file stores its tensors as plain bytes at known offsets, to which ONNX's external data can refer. So each
weight is stored once, for the graphs and for transformers.
"""

import json
import struct
from pathlib import Path
from typing import Any

WEIGHTS = "model.safetensors"


def tensor_offsets(path: Path) -> dict[str, tuple[int, int]]:
    """Return the position of each tensor in a safetensors file: name -> (offset in the file, length), in bytes."""
    start, tensors = _header(path)
    return {
        name: (start + entry["data_offsets"][0], entry["data_offsets"][1] - entry["data_offsets"][0])
        for name, entry in tensors.items()
    }


def tensor_types(path: Path) -> dict[str, str]:
    """Return the type of each tensor in a safetensors file, in the format's own names: "F32", "BF16" and so on."""
    return {name: entry["dtype"] for name, entry in _header(path)[1].items()}


def _header(path: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the offset of the first tensor in a safetensors file, and the header's entry for each tensor.

    The file begins with eight bytes that give the length of a JSON header. The header and then the tensors follow
    (safetensors README, "Format").
    """
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    return 8 + length, {name: entry for name, entry in header.items() if name != "__metadata__"}

"""The file that holds the weights of all graphs in a folder, and where each tensor lies in it.

A safetensors file holds its tensors as plain bytes at known offsets, which is what ONNX's external data refers to. So
the folder that holds the graphs is at the same time one that transformers loads, and no weight is there twice.
"""

import json
import struct
from pathlib import Path
from typing import Any

WEIGHTS = "model.safetensors"


def tensor_offsets(path: Path) -> dict[str, tuple[int, int]]:
    """Where each tensor of a safetensors file lies: name -> (offset from the start of the file, bytes)."""
    start, tensors = _header(path)
    return {
        name: (start + entry["data_offsets"][0], entry["data_offsets"][1] - entry["data_offsets"][0])
        for name, entry in tensors.items()
    }


def tensor_types(path: Path) -> dict[str, str]:
    """The type of each tensor of a safetensors file, as the format names it: "F32", "BF16" and so on."""
    return {name: entry["dtype"] for name, entry in _header(path)[1].items()}


def _header(path: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """Where the tensors of a safetensors file begin, and the header's entry for each.

    The format: eight bytes with the length of a JSON header, the header, the tensors (safetensors README, "Format").
    """
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    return 8 + length, {name: entry for name, entry in header.items() if name != "__metadata__"}

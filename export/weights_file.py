"""The file that holds the weights of all graphs in a folder, and where each tensor lies in it.

A safetensors file holds its tensors as plain bytes at known offsets, which is what ONNX's external data refers to. So
the folder that holds the graphs is at the same time one that transformers loads, and no weight is there twice.
"""

import json
import struct
from pathlib import Path

WEIGHTS = "model.safetensors"


def tensor_offsets(path: Path) -> dict[str, tuple[int, int]]:
    """Where each tensor of a safetensors file lies: name -> (offset from the start of the file, bytes).

    The format: eight bytes with the length of a JSON header, the header, the tensors (safetensors README, "Format").
    """
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    start = 8 + length
    return {
        name: (start + entry["data_offsets"][0], entry["data_offsets"][1] - entry["data_offsets"][0])
        for name, entry in header.items()
        if name != "__metadata__"
    }

"""Weights that graphs contain in another form than the model, such as transposed matrices.

They are stored once for all graphs of a folder, in safetensors files next to the model's own.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from export.weights_file import WEIGHTS, tensor_offsets

#: The files of these weights. The second file is for weights of decode that inspect does not have.
FOLDED = "folded.safetensors"
FOLDED_DECODE = "folded-decode.safetensors"

#: Initializers smaller than this many bytes stay in the graph.
SMALL = 1024


class Place(NamedTuple):
    """The place of a tensor: the name of a file, and its offset and length in bytes."""

    file: str
    offset: int
    length: int


def places_of(tensors: Mapping[str, NDArray[Any]], folder: Path, rest: str) -> dict[str, Place]:
    """Return the place of each tensor in the safetensors files of a folder.

    Tensors are matched by their bytes. Those that no file contains are written to the file `rest`.
    """
    stored = {name: np.memmap(folder / name, mode="r") for name in (WEIGHTS, FOLDED) if (folder / name).is_file()}
    by_content = {}
    for name, content in stored.items():
        for offset, length in tensor_offsets(folder / name).values():
            by_content[hash(content[offset : offset + length].tobytes())] = Place(name, offset, length)
    places: dict[str, Place] = {}
    missing: dict[str, NDArray[Any]] = {}
    for tensor, values in tensors.items():
        wanted = values.tobytes()
        place = by_content.get(hash(wanted))
        if place and stored[place.file][place.offset : place.offset + place.length].tobytes() == wanted:
            places[tensor] = place
        else:
            missing[tensor] = np.ascontiguousarray(values)
    if missing:
        save_file(missing, folder / rest)
        places |= {tensor: Place(rest, *where) for tensor, where in tensor_offsets(folder / rest).items()}
    return places

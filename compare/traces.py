"""The named tensors of one run: a folder with one .npy file a tensor, written by one process and read by another.

Reading maps the files into memory, so a comparison touches one tensor at a time however large the trace is.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[Any]

_FACTS = "facts.json"


def write_trace(folder: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any] | None = None) -> None:
    """Write named tensors, and what else is to be known of the run, into a folder; half precisions widen exactly.

    `facts.json` is written last: a trace without it was cut short.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, tensor in tensors.items():
        np.save(folder / f"{name}.npy", tensor.astype(np.float32) if tensor.dtype.itemsize < 4 else tensor)
    (folder / _FACTS).write_text(json.dumps({"names": list(tensors), **(facts or {})}))


def is_whole(folder: Path) -> bool:
    """Whether a folder holds a trace that was not cut short."""
    return (folder / _FACTS).is_file()


def forget(folder: Path, names: Collection[str]) -> "Trace":
    """Take tensors out of a trace, and open what is left of it."""
    facts = json.loads((folder / _FACTS).read_text())
    facts["names"] = [name for name in facts["names"] if name not in names]
    (folder / _FACTS).write_text(json.dumps(facts))
    for name in names:
        (folder / f"{name}.npy").unlink(missing_ok=True)
    return Trace(folder)


class Trace(Mapping[str, Tensor]):
    """A trace folder as a mapping from tensor name to memory-mapped array, in the order they were written.

    Raises FileNotFoundError where the folder holds no whole trace.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, Any] = json.loads((folder / _FACTS).read_text())

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.facts["names"]:
            raise KeyError(name)
        tensor: Tensor = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts["names"])

    def __len__(self) -> int:
        return len(self.facts["names"])


def same_bits(found: Trace, baseline: Path) -> bool:
    """Whether a run exposes nothing that is not, bit for bit, what the baseline gave into its folder."""
    if not baseline.is_dir():
        return False
    theirs = Trace(baseline)
    return all(name in theirs and np.array_equal(found[name], theirs[name]) for name in found)

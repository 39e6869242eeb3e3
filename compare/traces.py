"""Traces: the named tensors of one run, in a folder with one .npy file per tensor.

One process writes a trace, and another reads it. Files are memory-mapped, so a comparison needs memory for only one
tensor at a time.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[Any]

_FACTS = "facts.json"


def write_trace(folder: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any] | None = None) -> None:
    """Write the tensors and facts of a run into a folder.

    folder: created if needed.
    tensors: by name; those of less than four bytes per number are widened to float32, which is exact.
    facts: further information about the run, saved as JSON.

    `facts.json` is written last, so a trace without it is incomplete.

    Raises `ValueError` for a name that would lead out of the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, tensor in tensors.items():
        if Path(f"{name}.npy").name != f"{name}.npy":
            raise ValueError(f"a tensor named {name!r:.80} has no file in a trace")
        np.save(folder / f"{name}.npy", tensor.astype(np.float32) if tensor.dtype.itemsize < 4 else tensor)
    _write_facts(folder, {"names": list(tensors), **(facts or {})})


def _write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the file that makes a trace complete, whole or not at all."""
    partial = folder / f".{_FACTS}.partial"
    partial.write_text(json.dumps(facts))
    partial.replace(folder / _FACTS)


def is_whole(folder: Path) -> bool:
    """Return whether a folder holds a complete trace."""
    return (folder / _FACTS).is_file()


def forget(folder: Path, names: Collection[str]) -> "Trace":
    """Delete tensors of a trace, and open the remaining trace."""
    facts = json.loads((folder / _FACTS).read_text())
    facts["names"] = [name for name in facts["names"] if name not in names]
    _write_facts(folder, facts)
    for name in names:
        (folder / f"{name}.npy").unlink(missing_ok=True)
    return Trace(folder)


class Trace(Mapping[str, Tensor]):
    """A trace folder as a mapping from tensor name to memory-mapped array, in the order of writing.

    Raises `FileNotFoundError` if the folder holds no complete trace.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, Any] = json.loads((folder / _FACTS).read_text())
        self._names = dict.fromkeys(self.facts["names"])

    def only(self, names: Iterable[str]) -> "Trace":
        """Return the trace with some of its tensors alone. None of them is opened."""
        chosen = copy(self)
        chosen._names = dict.fromkeys(names)
        return chosen

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        tensor: Tensor = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def same_bits(found: Trace, baseline: Path) -> bool:
    """Return whether every tensor of a run is bit for bit that of the baseline.

    found: the trace of the run; it may expose fewer tensors than the baseline.
    baseline: the trace folder of the baseline. The result is False if it has no whole trace.
    """
    if not is_whole(baseline):
        return False
    theirs = Trace(baseline)
    return all(name in theirs and np.array_equal(found[name], theirs[name]) for name in found)

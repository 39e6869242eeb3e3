"""Read the attention of heads that a comparison kept next to its report, in `maps.npz`."""

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from compare.report.schema import MAPS_FILE, Report
from compare.results.circumstances import Head
from export.errors import BadInput, first_line, quoted
from export.outside import open_regular, reason, unreadable

Map = NDArray[np.float64]

#: The start of golden's names in the file.
_GOLDEN = "golden"

#: The names of maps: those of all heads of a layer, the largest difference of each, and, in older files, one head.
_NAME = re.compile(r"[^/]+/(attention\.(0|[1-9][0-9]{0,4})(/largest)?|[0-9]{1,4})")

#: The most bytes of the maps of one run (`compare.numerics.diagnostics.heads.MOST_NUMBERS`).
_MOST_BYTES = 16_000_000

#: What reading a damaged file raises.
_DAMAGES = (
    BadZipFile,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class HeadMap:
    """The attention of one head on the first sequence, (query, key)."""

    golden: Map
    run: Map
    difference: Map

    @property
    def largest(self) -> float:
        """The largest absolute difference; NaN if one is NaN."""
        return float(np.abs(self.difference).max(initial=0.0))


class HeadMaps:
    """The maps of a report. They have the first positions of the input, at most 128."""

    def __init__(self, report: Report, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._report, self._arrays = report, arrays

    @property
    def runtimes(self) -> list[str]:
        """The runtimes that have maps, in the order of the report."""
        starts = {name.partition("/")[0] for name in self._arrays}
        return [runtime.name for runtime in self._report.runtimes if runtime.name in starts]

    def of(self, runtime: str, layer: int, head: int) -> HeadMap | None:
        """Return the map of one head; None if the runtime does not expose it.

        layer, head: counted from 0. Raises `BadInput` if there is no such head.
        """
        name = f"attention.{layer}"
        golden = self._arrays.get(f"{_GOLDEN}/{name}")
        if golden is None:
            return self._older(runtime, layer, head)
        if not 0 <= head < len(golden):
            raise BadInput(self._missing(layer, head))
        truth = golden[head].astype(np.float64)
        if f"{runtime}/{name}" not in self._arrays:
            return None
        largest = self._arrays[f"{runtime}/{name}/largest"][head]
        difference = self._arrays[f"{runtime}/{name}"][head].astype(np.float64) * largest
        return HeadMap(truth, truth + difference, difference)

    @property
    def layers(self) -> list[int]:
        """The layers of which all heads are kept, in order; empty for a report from before all heads were kept."""
        start = f"{_GOLDEN}/attention."
        found = [name.removeprefix(start) for name in self._arrays if name.startswith(start)]
        return sorted(int(layer) for layer in found if layer.isdecimal())

    def golden(self, layer: int) -> NDArray[np.float16]:
        """Return golden's attention of a layer's heads, (head, query, key)."""
        return self._arrays[f"{_GOLDEN}/attention.{layer}"]

    def differences(self, runtime: str, layer: int) -> tuple[NDArray[np.float16], NDArray[np.float64]]:
        """Return a runtime's differences of a layer's heads in units of the largest one, and the largest, (head,).

        The differences are (head, query, key). Raises `BadInput` if the maps lack them.
        """
        name = f"{runtime}/attention.{layer}"
        try:
            return self._arrays[name], self._arrays[f"{name}/largest"]
        except KeyError as error:
            raise BadInput(
                f"the maps of attention have no {quoted(name)}, but the report does; compare again"
            ) from error

    def _older(self, runtime: str, layer: int, head: int) -> HeadMap | None:
        """Return a map of a report from before all heads were kept. They are in the order of the report's heads."""
        kept = {(known.layer, known.head): i for i, known in enumerate(self._report.heads)}
        place = kept.get((layer, head))
        if place is None or f"{_GOLDEN}/{place}" not in self._arrays:
            raise BadInput(self._missing(layer, head))
        if f"{runtime}/{place}" not in self._arrays:
            return None
        truth, run = (self._arrays[f"{name}/{place}"].astype(np.float64) for name in (_GOLDEN, runtime))
        with np.errstate(invalid="ignore"):
            return HeadMap(truth, run, run - truth)

    def _missing(self, layer: int, head: int) -> str:
        """Say which heads there are instead of the one that was asked for."""
        asked = f"layer {layer}, head {head}"
        model = self._report.model
        assert model is not None
        if 0 <= layer < model.layers and 0 <= head < model.heads:
            kept = ", ".join(f"layer {known.layer} head {known.head}" for known in self._report.heads)
            return f"the report has no attention of {asked}, only of {kept}; compare again to keep every head"
        return (
            f"the model has no {asked}; its layers are 0 to {model.layers - 1}, and the heads of each are 0 to "
            f"{model.heads - 1}"
        )


class _StoredArrays(Mapping[str, NDArray[Any]]):
    """The arrays of a file of maps. Each is read when it is used.

    Raises `BadInput` if a name, a type, a shape or a size is not that of a map, or if the file is damaged.
    """

    def __init__(self, path: Path, archive: ZipFile, runtimes: int, heads: int) -> None:
        """Check all names, sizes and shapes.

        path: of the file, for messages. archive: the open file. runtimes, heads: the number of rows of the report, and
        that of heads in them.
        """
        self._path, self._archive = path, archive
        self._members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        if sum(member.file_size for member in self._members.values()) > (1 + runtimes) * _MOST_BYTES:
            raise self._damaged(f"they would take {sum(m.file_size for m in self._members.values()) / 1e6:,.0f} MB")
        shapes = {}
        for name, member in self._members.items():
            if _NAME.fullmatch(name) is None:
                raise self._damaged(f"{quoted(name)} is not the name of a map")
            shapes[name] = self._shape(member)
        kept = {shape for name, shape in shapes.items() if not name.endswith("/largest")}
        square = all(len(shape) in (2, 3) and shape[-1] == shape[-2] > 0 for shape in kept)
        if len(kept) > 1 or not square or len({shape[0] for shape in shapes.values()}) > 1:
            raise self._damaged("they are not of one shape")
        if any(len(shape) == 3 and shape[0] < heads for shape in kept):
            raise self._damaged(f"they have fewer than the {heads:,} heads of the report")
        for name, shape in shapes.items():
            run, _, tensor = name.partition("/")
            if len(shape) != (1 if tensor.endswith("/largest") else 3 if "." in tensor else 2):
                raise self._damaged(f"{quoted(name)} has {len(shape)} dimensions")
            if run != _GOLDEN and len(shape) == 3:
                for needed in (f"{_GOLDEN}/{tensor}", f"{name}/largest"):
                    if needed not in shapes:
                        raise self._damaged(f"{quoted(name)} is there without {quoted(needed)}")

    def __getitem__(self, name: str) -> NDArray[Any]:
        member = self._members[name]
        try:
            with self._archive.open(member) as file:
                array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        except _DAMAGES as error:
            raise self._damaged(first_line(error)) from error
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def _shape(self, member: ZipInfo) -> tuple[int, ...]:
        """Return the shape of an array, of which only the start is read."""
        try:
            with self._archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(file)
        except _DAMAGES as error:
            raise self._damaged(first_line(error)) from error
        if dtype.kind != "f" or not 0 < prod(shape) * dtype.itemsize <= member.file_size:
            raise self._damaged(f"{quoted(member.filename)} has no numbers of its shape")
        return tuple(shape)

    def _damaged(self, why: str) -> BadInput:
        return BadInput(f"the maps of attention {self._path} cannot be read: {why}; compare again, or remove the file")


@contextmanager
def head_maps(report: Report) -> Iterator[HeadMaps | None]:
    """Open the maps of a report; None if it has none, because no runtime exposes its attention, or it was moved.

    In a `with` block inside another one of the same report, the file stays open. Raises `BadInput` if it is damaged.
    """
    if report._maps is not None:
        yield report._maps
        return
    path = None if report.folder is None or report.model is None else report.folder / MAPS_FILE
    if path is None or not path.exists():
        yield None
        return
    with ExitStack() as opened:
        try:
            archive = opened.enter_context(ZipFile(opened.enter_context(open_regular(path))))
        except _DAMAGES as error:
            why = reason(error) if isinstance(error, OSError) else first_line(error)
            raise unreadable(path, "maps of attention", why, "compare again, or remove the file") from error
        heads = max((len(gap.heads) for runtime in report.runtimes for gap in runtime.gaps), default=0)
        report._maps = HeadMaps(report, _StoredArrays(path, archive, len(report.runtimes), heads))
        try:
            yield report._maps
        finally:
            report._maps = None


def head_asked_for(layer: int | None, head: int | None) -> Head | None:
    """Return the head that `layer` and `head` name; None if neither is given. Raises `BadInput` if one is missing."""
    if layer is None and head is None:
        return None
    if layer is None or head is None:
        given, missing = (f"layer={layer}", "head") if head is None else (f"head={head}", "layer")
        raise BadInput(f"{given} names no head without a {missing}; give both")
    return Head(layer=layer, head=head, name=f"layer {layer} head {head}")


def maps_of_head(report: Report, head: Head) -> dict[str, HeadMap]:
    """Return the maps of one head by runtime, of the runtimes that expose attention.

    Raises `BadInput` if the report has no attention, or if the model has no such head.
    """
    with head_maps(report) as maps:
        if maps is None or not maps.runtimes:
            raise BadInput(f"the report has no attention, so it cannot show {head.name}; compare again to keep it")
        found = {runtime: maps.of(runtime, head.layer, head.head) for runtime in maps.runtimes}
    return {runtime: known for runtime, known in found.items() if known is not None}

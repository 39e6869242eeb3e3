"""Read the attention of heads that a comparison kept next to its report, in `maps.npz`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.report.archives import check_archive
from compare.report.schema import MAPS_FILE, Report
from export.errors import BadInput, first_line

Map = NDArray[np.float64]

#: The start of golden's names in the file.
_GOLDEN = "golden"


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
        return sorted(int(name.removeprefix(start)) for name in self._arrays if name.startswith(start))

    def golden(self, layer: int) -> NDArray[np.float16]:
        """Return golden's attention of a layer's heads, (head, query, key)."""
        return self._arrays[f"{_GOLDEN}/attention.{layer}"]

    def differences(self, runtime: str, layer: int) -> tuple[NDArray[np.float16], NDArray[np.float64]]:
        """Return a runtime's differences of a layer's heads in units of the largest one, and the largest, (head,).

        The differences are (head, query, key). Raises `KeyError` if the runtime does not expose the layer's attention.
        """
        name = f"{runtime}/attention.{layer}"
        return self._arrays[name], self._arrays[f"{name}/largest"]

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


@contextmanager
def head_maps(report: Report) -> Iterator[HeadMaps | None]:
    """Open the maps of a report; None if it has none, because no runtime exposes its attention, or it was moved.

    Raises `BadInput` if the file is damaged.
    """
    path = None if report.folder is None or report.model is None else report.folder / MAPS_FILE
    if path is None or not path.is_file():
        yield None
        return
    try:
        check_archive(path)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} is damaged: {first_line(error)}; compare again, or remove it") from error
    with np.load(path, allow_pickle=False) as arrays:
        yield HeadMaps(report, arrays)

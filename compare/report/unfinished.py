"""What a comparison keeps in its report's folder until it has finished, for `--resume`: how it began, and its rows.

`unfinished/run.json` says what is compared and where (`compare.pipeline.resume`), and `unfinished/ROW.npz` has the
result of a row. Both are written whole or not at all. A row is an archive, whose checksums show whether it is damaged.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from compare.report.archives import check_archive
from compare.report.folder import KEPT, is_unfinished
from compare.results.runtimes import RuntimeResult
from export.errors import first_line
from export.outside import read_text, unreadable

#: The file in that folder that says how the comparison began.
RUN_FILE = "run.json"

#: The most bytes of that file, and what to do if it cannot be read.
_MOST_BYTES, _MEND = 16_000_000, "start the comparison anew"

#: The name of the result in a row's archive. The other arrays are its maps.
_RESULT = "result"


@dataclass(frozen=True)
class SavedRow:
    """A finished row.

    result: the row of the report. lower: the lower precision that it was found to compute in, if any. maps: the maps of
    its attention, by tensor (`compare.numerics.diagnostics.heads.difference_maps`).
    """

    result: RuntimeResult
    lower: str | None = None
    maps: Mapping[str, Any] = field(default_factory=dict)


def can_resume(folder: Path) -> bool:
    """Whether the comparison in a folder is unfinished, and has kept how it began."""
    return is_unfinished(folder) and (folder / KEPT / RUN_FILE).is_file()


def write_begun(folder: Path, begun: Mapping[str, Any]) -> None:
    """Write how a comparison began. folder: the report's folder."""
    (folder / KEPT).mkdir(exist_ok=True)
    partial = folder / KEPT / f".{RUN_FILE}.partial"
    partial.write_text(json.dumps(begun, indent=1) + "\n")
    partial.replace(folder / KEPT / RUN_FILE)


def read_begun(folder: Path) -> dict[str, Any]:
    """Return how an unfinished comparison began. Raises `BadInput` if that cannot be read."""
    file = folder / KEPT / RUN_FILE
    text = read_text(file, "beginning", _MOST_BYTES, _MEND)
    try:
        begun = json.loads(text)
        if not isinstance(begun, dict):
            raise ValueError("it is no object")
    except (ValueError, RecursionError) as error:
        raise unreadable(file, "beginning", first_line(error), _MEND) from error
    return begun


def write_row(folder: Path, row: SavedRow) -> None:
    """Save a row. folder: the report's folder. Raises `OSError` if the disk is full."""
    import numpy as np

    content = json.dumps({"row": _results().dump_python(row.result, mode="json"), "lower": row.lower})
    arrays: dict[str, Any] = {_RESULT: np.frombuffer(content.encode(), np.uint8), **row.maps}
    (folder / KEPT).mkdir(exist_ok=True)
    partial = folder / KEPT / f".{row.result.name}.partial"
    try:
        with partial.open("wb") as file:
            np.savez_compressed(file, **arrays)
        partial.replace(_file(folder, row.result.name))
    finally:
        partial.unlink(missing_ok=True)


def read_row(folder: Path, name: str) -> SavedRow | None:
    """Return a saved row; None if there is none, or if its file is damaged. folder: the report's folder."""
    import numpy as np

    try:
        check_archive(_file(folder, name))
        with np.load(_file(folder, name), allow_pickle=False) as arrays:
            content = json.loads(arrays[_RESULT].tobytes())
            maps = {name: arrays[name] for name in arrays.files if name != _RESULT}
        result, lower = _results().validate_python(content["row"]), content["lower"]
    except (OSError, ValueError, KeyError):
        return None
    return SavedRow(result, lower, maps) if result.name == name else None


def saved_names(folder: Path) -> list[str]:
    """Return the names of the rows that are saved. folder: the report's folder."""
    with suppress(OSError):
        return sorted(path.stem for path in (folder / KEPT).glob("[!.]*.npz"))
    return []


def _file(folder: Path, name: str) -> Path:
    return folder / KEPT / f"{name}.npz"


@cache
def _results() -> TypeAdapter[RuntimeResult]:
    return TypeAdapter(RuntimeResult)

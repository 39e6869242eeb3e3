"""What a comparison keeps in its report's folder until it has finished, for `--resume`: how it began, and its rows.

`unfinished/run.json` says what is compared and where (`compare.pipeline.resume`), and `unfinished/ROW.npz` has the
result of a row. Both are written whole or not at all. A row is an archive, whose checksums show whether it is damaged.
"""

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from compare.report.archives import check_archive
from compare.report.schema import REPORT_FILE
from compare.results.runtimes import RuntimeResult
from export.errors import BadInput, first_line

#: The folder in a report's folder. It is there until the comparison has finished.
FOLDER = "unfinished"

#: The file in it that says how the comparison began.
RUN_FILE = "run.json"

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


def is_unfinished(folder: Path) -> bool:
    """Whether a folder has a comparison that was interrupted, or that still runs."""
    return (folder / FOLDER / RUN_FILE).is_file() and not (folder / REPORT_FILE).is_file()


def forget(folder: Path) -> None:
    """Remove what a comparison has kept. Call this when it has finished, or when another one begins in this folder."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def write_begun(folder: Path, begun: Mapping[str, Any]) -> None:
    """Write how a comparison began. folder: the report's folder."""
    (folder / FOLDER).mkdir(exist_ok=True)
    partial = folder / FOLDER / f".{RUN_FILE}.partial"
    partial.write_text(json.dumps(begun, indent=1) + "\n")
    partial.replace(folder / FOLDER / RUN_FILE)


def read_begun(folder: Path) -> dict[str, Any]:
    """Return how an unfinished comparison began. Raises `BadInput` if that cannot be read."""
    file = folder / FOLDER / RUN_FILE
    try:
        begun = json.loads(file.read_bytes())
        if not isinstance(begun, dict):
            raise ValueError("it is no object")
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{file} cannot be read: {first_line(error)}; start the comparison anew") from error
    return begun


def write_row(folder: Path, row: SavedRow) -> None:
    """Save a row. folder: the report's folder. Raises `OSError` if the disk is full."""
    import numpy as np

    content = json.dumps({"row": json.loads(_results().dump_json(row.result)), "lower": row.lower})
    arrays: dict[str, Any] = {_RESULT: np.frombuffer(content.encode(), np.uint8), **row.maps}
    (folder / FOLDER).mkdir(exist_ok=True)
    partial = folder / FOLDER / f".{row.result.name}.partial"
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
        return sorted(path.stem for path in (folder / FOLDER).glob("[!.]*.npz"))
    return []


def _file(folder: Path, name: str) -> Path:
    return folder / FOLDER / f"{name}.npz"


@cache
def _results() -> TypeAdapter[RuntimeResult]:
    return TypeAdapter(RuntimeResult)

"""Read the JSON of a saved report: a regular file of a bounded size, of a schema that is known."""

import json
from pathlib import Path
from typing import Any

from export.errors import BadInput, quoted
from export.outside import read_text, unreadable

#: The most bytes of a report, those of some hours of timing, and the most objects and lists in it.
MOST_BYTES, MOST_PARTS = 128_000_000, 4_000_000

_MEND = "compare again, or name another report"


def report_json(path: Path, schema: int) -> dict[str, Any]:
    """Return the JSON object of a report. schema: the newest that is known.

    Raises `BadInput` if the file is not regular, is larger than any report, is no JSON object, or has no schema or a
    newer one.
    """
    text = read_text(path, "report", MOST_BYTES, _MEND)
    if (parts := text.count("{") + text.count("[")) > MOST_PARTS:
        raise unreadable(path, "report", f"it has {parts:,} objects and lists, and no report has as many", _MEND)
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise unreadable(path, "report", "it is nested too deeply", _MEND) from error
    except ValueError as error:
        raise unreadable(path, "report", f"it is not JSON: {error}", _MEND) from error
    if not isinstance(content, dict):
        raise unreadable(path, "report", f"it holds a JSON {type(content).__name__}, not an object", _MEND)
    check_schema(path, content.get("schema_version"), schema)
    return content


def check_schema(path: Path, version: Any, newest: int) -> None:
    """Raise `BadInput` if a report's schema is not known. version: what the report gives. newest: that is known."""
    if type(version) is not int or version < 1:
        found = "it gives no schema_version" if version is None else f"its schema_version is {quoted(version)}"
        raise unreadable(path, "report", f"{found}, and those of reports are 1 to {newest}", _MEND)
    if version > newest:
        raise BadInput(
            f"the report {path} has schema {version}, and this version of onnx-attention-compare reads 1 to {newest}; "
            "update it (pip install --upgrade onnx-attention-compare)"
        )

"""Errors that nobody expected: a line for the terminal, and a file with the traceback, for a report of the bug."""

import os
import platform
import shlex
import sys
import tempfile
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from export.printing import printable_lines

#: The folder of the cache with the tracebacks.
TRACEBACKS = "tracebacks"

#: Packages whose versions are in the file.
_PACKAGES = (
    "onnx-attention-compare",
    "torch",
    "transformers",
    "onnx",
    "onnxruntime",
    "numpy",
    "pydantic",
    "rich",
    "typer",
)

#: The most characters of the error's message in the line; the file has all of it.
_LONGEST = 500


def described(error: BaseException) -> str:
    """Return an unexpected error in a line, after writing its traceback to a file, which the line names."""
    try:
        where = f"the traceback is in {_saved(error)}"
    except Exception as failed:  # such as a full disk, or memory that is still short
        where = f"it was raised in {_place(error)}, and no file could be written ({type(failed).__name__})"
    return f"unexpected: {type(error).__name__}: {_message(error)}; {where}"


def _message(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())[:_LONGEST] or "no message"
    except Exception:
        return "no message"


def _place(error: BaseException) -> str:
    """Return the file and the line in which an error was raised."""
    found = [f"{frame.f_code.co_filename}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)]
    return found[-1] if found else "an unknown place"


def _saved(error: BaseException) -> Path:
    """Write a traceback into the cache, or into the folder of temporary files, and return its path."""
    text = printable_lines("\n".join([*_circumstances(), "", "".join(traceback.format_exception(error))]))
    try:
        from export.cache import cache_root

        folder = cache_root() / TRACEBACKS
        folder.mkdir(parents=True, exist_ok=True)
        return _written(text, folder)
    except Exception:  # such as a cache that is read-only
        return _written(text, Path(tempfile.gettempdir()))


def _written(text: str, folder: Path) -> Path:
    made = datetime.now(UTC)
    descriptor, name = tempfile.mkstemp(prefix=f"{made:%Y%m%d-%H%M%S}-", suffix=".txt", dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(name)


def _circumstances() -> Iterator[str]:
    """Yield lines with the command and the versions."""
    yield f"command: {shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])}"
    yield f"system: {platform.platform()}, Python {platform.python_version()}"
    yield f"packages: {', '.join(_versions())}"


def _versions() -> Iterator[str]:
    for name in _PACKAGES:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue

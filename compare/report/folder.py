"""The folder of a report: which files a comparison writes there, whether it is a comparison's, and whether it finished.

A folder is a comparison's if it has the marker, which is written into new and empty folders only. One that was written
before there were markers is taken for a comparison's if it has a report, and nothing but what goes with one.
"""

import shutil
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from compare.report.schema import MAPS_FILE, PAGE_FILE, REPORT_FILE, Report
from export.errors import BadInput

#: The file that marks a folder as a comparison's.
MARKER = ".comparison"
_MARK = "A comparison of onnx-attention-compare made this folder, and replaces its files if it is named again.\n"

#: The file that is there until the comparison has finished.
UNFINISHED = "UNFINISHED.txt"
_UNFINISHED = "This comparison has not finished: it is running, or it failed or was stopped.\n"

#: The file that is locked while a comparison writes to the folder. The system unlocks it if the process is killed.
LOCK = ".lock"

#: Folders for files that are needed during a comparison, and for what its processes print.
SCRATCH, LOGS = "scratch", "logs"

#: The folder in which a comparison keeps finished rows until it has finished. `clear` leaves it.
KEPT = "unfinished"

#: Patterns of the names of figures.
_FIGURES = ("gap_by_layer", "latency", "latency_against_gap", "latency_by_sequence", "heads_*", "layer*_head*")

#: Patterns of the names of what a comparison writes.
_OWN = (
    *(MARKER, UNFINISHED, LOCK, KEPT, SCRATCH, LOGS),
    *(REPORT_FILE, f".{REPORT_FILE}.partial", "report.md", PAGE_FILE, MAPS_FILE),
    *(f"{figure}.{kind}" for figure in _FIGURES for kind in ("png", "svg")),
)

#: What file managers leave in every folder that they show.
_STRAY = (".DS_Store", "Thumbs.db", "desktop.ini")


def foreign_files(folder: Path) -> list[str]:
    """Return the names of what a folder has that no comparison wrote, in order. Raises `OSError` if it is no folder."""
    names = sorted(path.name for path in folder.iterdir() if path.name not in (LOCK, *_STRAY))
    foreign = [name for name in names if not _is_own(name)]
    if MARKER in names:
        return foreign
    return [*foreign, *(name for name in names if name in (SCRATCH, LOGS))] if _has_report(folder) else names


def _has_report(folder: Path) -> bool:
    try:
        return Report.read(folder) is not None
    except BadInput:
        return False


def mark(folder: Path) -> None:
    """Mark a folder as a comparison's."""
    (folder / MARKER).write_text(_MARK, encoding="utf-8")


def clear(folder: Path) -> None:
    """Remove what earlier comparisons wrote into a folder, except for the lock and the rows that they keep."""
    for path in folder.iterdir():
        if not _is_own(path.name) or path.name in (LOCK, KEPT):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def begin(folder: Path) -> None:
    """Say in a folder that its comparison is unfinished."""
    (folder / UNFINISHED).write_text(_UNFINISHED, encoding="utf-8")


def finish(folder: Path) -> None:
    """Say no longer that a comparison is unfinished."""
    (folder / UNFINISHED).unlink(missing_ok=True)


def is_unfinished(folder: Path) -> bool:
    """Whether the comparison that wrote a folder has not finished."""
    return (folder / UNFINISHED).exists()


def discard(folder: Path, made: Path | None) -> None:
    """Remove what a refused comparison wrote. made: the outermost folder that it made, if it made one."""
    with suppress(OSError):
        clear(folder)
        shutil.rmtree(folder / KEPT, ignore_errors=True)
        (folder / LOCK).unlink(missing_ok=True)
        while made is not None and folder.is_relative_to(made):
            folder.rmdir()
            folder = folder.parent


def _is_own(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in _OWN)

"""Sizes and removal of folders of the cache."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from export.errors import BadInput
from export.outside import reason

#: The most characters of a folder's name in the name under which it is deleted. They have up to four bytes each.
_NAME = 50

#: How that name begins. It ends with the id of the process that deletes the folder.
_DOOMED = ".removed-"


def size_of(folder: Path) -> int:
    """Return the size of all files in a folder, in bytes. Files that vanish meanwhile do not count."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += Path(place, name).lstat().st_size
    return size


def remove(folder: Path) -> int:
    """Delete a folder of the cache, such as an entry, which may be damaged, and return its size in bytes.

    The folder is renamed first, so that no process sees a folder of which some files are deleted. If it is a link, only
    the link is deleted. What removals that were interrupted have left next to it is deleted too. Raises `BadInput` if
    that is not allowed.
    """
    try:
        if folder.is_symlink():
            folder.unlink()
            return 0
        size = size_of(folder)
        doomed = folder.with_name(f"{_DOOMED}{folder.name[:_NAME]}-{os.getpid()}")
        folder.rename(doomed)
        shutil.rmtree(doomed)
        for left in folder.parent.glob(f"{_DOOMED}*"):
            if not _is_running(left):
                shutil.rmtree(left, ignore_errors=True)  # another process may be at it, or it is another user's
    except OSError as error:
        raise BadInput(f"{folder} cannot be removed: {reason(error)}") from error
    return size


def _is_running(doomed: Path) -> bool:
    """Whether the process that deletes a folder may still be at it."""
    import psutil

    number = doomed.name.rpartition("-")[2]
    return number.isdecimal() and psutil.pid_exists(int(number))

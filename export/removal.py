"""Sizes and removal of folders of the cache."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from export.errors import BadInput
from export.outside import reason

#: The most characters of a folder's name in the name under which it is deleted. They have up to four bytes each.
_NAME = 50


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
    the link is deleted. Raises `BadInput` if that is not allowed.
    """
    try:
        if folder.is_symlink():
            folder.unlink()
            return 0
        size = size_of(folder)
        doomed = folder.with_name(f".removed-{folder.name[:_NAME]}-{os.getpid()}")
        folder.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise BadInput(f"{folder} cannot be removed: {reason(error)}") from error
    return size

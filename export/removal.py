"""Sizes and removal of folders of the cache."""

import os
import shutil
from contextlib import suppress
from pathlib import Path


def size_of(folder: Path) -> int:
    """Return the size of all files in a folder, in bytes. Files that vanish meanwhile do not count."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                size += Path(place, name).lstat().st_size
    return size


def remove(folder: Path) -> int:
    """Delete a folder of the cache, such as an entry, which may be damaged, and return its size in bytes.

    The folder is renamed first, so that no process sees a folder of which some files are deleted.
    """
    size = size_of(folder)
    doomed = folder.with_name(f".removed-{folder.name}-{os.getpid()}")
    folder.rename(doomed)
    shutil.rmtree(doomed)
    return size

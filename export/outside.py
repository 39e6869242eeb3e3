"""Read files that come from outside: regular files only, up to a size, and whatever goes wrong is one `BadInput`.

A path may name a device without an end, a pipe that nobody writes to, or a link to itself. So a file is opened without
waiting, its kind is checked on the open file, and no more is read than the caller has said.
"""

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from export.errors import BadInput

#: The most bytes of a file that describes something: a configuration, a manifest, an index.
DESCRIPTION = 64 * 2**20

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}

_REASONS = {
    errno.ENOENT: "it does not exist",
    errno.ENOTDIR: "a part of its path is not a folder",
    errno.ELOOP: "its links lead back to themselves",
    errno.ENAMETOOLONG: "its name is too long",
    errno.ENXIO: "it is a socket, not a regular file",
    errno.EACCES: "permission denied",
}


def read_bytes(path: Path, what: str, most: int, mend: str = "") -> bytes:
    """Return the content of a regular file.

    what: the kind of file, for messages, such as "configuration". most: the largest size that is read, in bytes.
    mend: how to fix it, for messages. Raises `BadInput` if it is not a regular file, is larger, or cannot be read.

    >>> read_bytes(Path("/dev/zero"), "text", 100)
    Traceback (most recent call last):
    ...
    export.errors.BadInput: the text /dev/zero cannot be read: it is a device, not a regular file
    """
    try:
        with open_regular(path) as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise unreadable(path, what, reason(error), mend) from error
    if len(content) > most:
        raise unreadable(path, what, f"it has more than {most:,} bytes", mend)
    return content


def read_text(path: Path, what: str, most: int, mend: str = "") -> str:
    """Return the content of a regular file of UTF-8 text. The arguments and errors are those of `read_bytes`."""
    try:
        return read_bytes(path, what, most, mend).decode()
    except UnicodeDecodeError as error:
        raise unreadable(path, what, f"it is not UTF-8 text (byte {error.start:,})", mend) from error


def read_json(path: Path, what: str, mend: str = "", most: int = DESCRIPTION) -> dict[str, Any]:
    """Return the JSON object in a regular file. The arguments and errors are those of `read_bytes`."""
    try:
        content = json.loads(read_text(path, what, most, mend))
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else f"it is not JSON: {error}"
        raise unreadable(path, what, why, mend) from error
    if not isinstance(content, dict):
        raise unreadable(path, what, f"it holds a JSON {type(content).__name__}, not an object", mend)
    return content


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. Raises `OSError` if it is of another kind, or if it cannot be opened."""
    # Without O_NONBLOCK, opening a pipe would wait until somebody writes to it.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
        if kind != stat.S_IFREG:
            raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'a special file')}, not a regular file")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def reason(error: OSError | ValueError) -> str:
    """Return why a file cannot be opened or read, in words."""
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0) or error.strerror or type(error).__name__
    return f"no file can have this name ({error})"


def unreadable(path: Path, what: str, why: str, mend: str = "") -> BadInput:
    """Return the error of a file that cannot be used."""
    return BadInput(f"the {what} {path} cannot be read: {why}{f'; {mend}' if mend else ''}")

"""Errors of a disk that is full or cannot be written to, as errors that say which folder and what helps."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export.errors import BadInput, CannotRun

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def writing(folder: Path, otherwise: str) -> Iterator[None]:
    """Context manager in which a folder is written to.

    otherwise: what to do if that is not possible, for the message. Raises `CannotRun` if the disk is full, and
    `BadInput` if the folder cannot be written to. Other errors pass.

    >>> with writing(Path("cache"), "choose another one"):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    ...
    export.errors.CannotRun: the folder cache cannot be written to: No space left on device; choose another one
    """
    try:
        yield
    except OSError as error:
        inside = str(error.filename or "").startswith(str(folder))
        if error.errno not in _FULL and not (error.errno in _REFUSED and inside):
            raise
        message = f"the folder {folder} cannot be written to: {error.strerror}; {otherwise}"
        raise (CannotRun if error.errno in _FULL else BadInput)(message) from error

"""Read what comes from outside: regular files only, up to a size, and whatever goes wrong is one `BadInput`.

A path may name a device without an end, a pipe that nobody writes to, or a link to itself. So a file is opened without
waiting, its kind is checked on the open file, and no more is read than the caller has said. Libraries that read files
from outside raise errors of any type, so they are called in `as_bad_input`.
"""

import errno
import hashlib
import json
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from export.errors import BadInput, CannotRun, ComparisonError, cause, quoted

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
    errno.EEXIST: "there is something else in its place",
    errno.ENXIO: "it is a socket, not a regular file",
    errno.EACCES: "permission denied",
    errno.EROFS: "its file system is read-only",
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "the disk quota is exceeded",
    errno.EFBIG: "it is larger than files may be",
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


def open_regular(path: Path) -> BufferedReader:
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


def check_regular(path: Path, what: str, mend: str = "", most: int | None = None) -> None:
    """Raise `BadInput` if a path is not a regular file that can be opened, or has more than `most` bytes."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
    except (OSError, ValueError) as error:
        raise unreadable(path, what, reason(error), mend) from error
    if most is not None and size > most:
        raise unreadable(path, what, f"it has {size:,} bytes; at most {most:,} are read", mend)


def sha256(path: Path, what: str) -> bytes:
    """Return the SHA-256 of a regular file. Raises `BadInput` if it cannot be read."""
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError) as error:
        raise unreadable(path, what, reason(error)) from error


def present(path: Path, what: str, mend: str = "", *, links: bool = True) -> bool:
    """Return whether there is anything at a path.

    links: whether a link counts that leads nowhere. Raises `BadInput` if it cannot be seen, for example because the
    name is too long.
    """
    try:
        path.lstat() if links else path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise unreadable(path, what, reason(error), mend) from error
    return True


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder; False if that cannot be seen, for example because its name is too long."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def path_of(text: str, what: str) -> Path:
    """Return a path that a user gave, with ~ replaced by the home folder.

    what: what the path is given as, for messages, such as "--cache-dir". Raises `BadInput` if it is empty or is not
    text, or names the home folder of a user who does not exist.

    >>> path_of("", "--cache-dir")
    Traceback (most recent call last):
    ...
    export.errors.BadInput: --cache-dir is empty; give the path of a folder
    """
    if not text.strip():
        raise BadInput(f"{what} is empty; give the path of a folder")
    check_text(text, what)
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        home = text.split("/")[0]
        raise BadInput(f"{what} is {quoted(text)}, but {home} has no home folder; give another path") from error


def check_text(text: str, what: str) -> None:
    """Raise `BadInput` if a name has a zero character, which no file can have, or is not UTF-8, as files must be."""
    if "\0" in text:
        raise BadInput(f"{what} is {quoted(text)}, and no file can have a zero character in its name")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"{what} is {quoted(text)}, which is not UTF-8 text; rename it") from error


@contextmanager
def as_bad_input(what: str, mend: str = "") -> Iterator[None]:
    """Raise one `BadInput` for whatever a library raises in the `with` block. The errors of this project pass.

    what: what cannot be done, for messages. mend: how to fix it. A lack of memory is `CannotRun`.

    >>> with as_bad_input("the tokenizer in x cannot be read", "save it again"):
    ...     {}["model"]
    Traceback (most recent call last):
    ...
    export.errors.BadInput: the tokenizer in x cannot be read: KeyError: 'model'; save it again
    """
    try:
        yield
    except ComparisonError:
        raise
    except MemoryError as error:
        raise CannotRun(f"{what}: there is not enough memory") from error
    except BaseException as error:
        # A panic of a library in Rust is an error of pyo3 that is not an Exception.
        if not isinstance(error, Exception) and type(error).__module__ != "pyo3_runtime":
            raise
        raise BadInput(f"{what}: {cause(error)}{f'; {mend}' if mend else ''}") from error


@contextmanager
def silent(library: str) -> Iterator[None]:
    """Let a library log nothing in the `with` block. library: the name of its logger."""
    logger = logging.getLogger(library)
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def quiet_panics() -> Iterator[None]:
    """Send what is written to file descriptor 2 nowhere, in the `with` block.

    A panic of a library in Rust is an error in Python, but Rust prints it first, with a stack.
    """
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def reason(error: OSError | ValueError) -> str:
    """Return why a file cannot be opened or read, in words."""
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0) or error.strerror or type(error).__name__
    return f"no file can have this name ({error})"


def unreadable(path: Path, what: str, why: str, mend: str = "") -> BadInput:
    """Return the error of a file that cannot be used."""
    return BadInput(f"the {what} {path} cannot be read: {why}{f'; {mend}' if mend else ''}")

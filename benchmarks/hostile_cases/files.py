"""Functions that make files of a case. Each returns a function of the working folder."""

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.hostile_cases.case import Make


def after(*makes: Make) -> Make:
    """Return a function that makes several things, one after the other."""

    def made(work: Path) -> None:
        for make in makes:
            make(work)

    return made


def file(name: str, content: bytes | str = b"") -> Make:
    """Make a file, and its folder."""

    def made(work: Path) -> None:
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return made


def json_file(name: str, content: Any) -> Make:
    """Make a file of JSON."""
    return file(name, json.dumps(content))


def folder(name: str) -> Make:
    """Make a folder, in the place of a file if there is one."""

    def made(work: Path) -> None:
        with suppress(FileNotFoundError):
            (work / name).unlink()
        (work / name).mkdir(parents=True)

    return made


def link(name: str, target: str) -> Make:
    """Make a symbolic link, in the place of a file if there is one."""

    def made(work: Path) -> None:
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    return made


def pipe(name: str) -> Make:
    """Make a named pipe, which nobody writes to, in the place of a file if there is one."""

    def made(work: Path) -> None:
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    return made


def bound_socket(name: str) -> Make:
    """Make a socket."""

    def made(work: Path) -> None:
        here = Path.cwd()
        os.chdir(work)  # because the path of a socket may have only about 100 bytes
        try:
            socket.socket(socket.AF_UNIX).bind(name)
        finally:
            os.chdir(here)

    return made


def sparse(name: str, size: int, start: bytes = b"") -> Make:
    """Make a file of so many bytes that takes no space on the disk: zeros after its start."""

    def made(work: Path) -> None:
        file(name, start)(work)
        os.truncate(work / name, size)

    return made


def cut(name: str, to: int) -> Make:
    """Cut a file to so many bytes; if `to` is negative, cut so many bytes from its end."""

    def made(work: Path) -> None:
        path = work / name
        os.truncate(path, to if to >= 0 else path.stat().st_size + to)

    return made


def gone(*names: str) -> Make:
    """Remove files."""

    def made(work: Path) -> None:
        for name in names:
            (work / name).unlink()

    return made


def changed_json(name: str, changes: Mapping[str, Any]) -> Make:
    """Change values of a file of JSON. changes: key -> value."""

    def made(work: Path) -> None:
        path = work / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return made

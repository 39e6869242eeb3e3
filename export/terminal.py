"""Guards of stdout and stderr: only text goes through, and a stream that cannot be written does not end the command."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from export.printing import encoding_of, printable_lines

#: What rich and tqdm draw with: styles, moves of the cursor, erasures, and whether the cursor is visible.
_DRAWING = re.compile(r"(\r|\x1b\[[\d;]*[A-HJKm]|\x1b\[\?25[hl])")


class Guard:
    """A standard stream that passes on text, and shows everything else (`export.printing`).

    On a terminal it also passes on the sequences that rich and tqdm draw with. If the stream cannot be written, what
    follows is dropped, and `lost` says why. Other attributes are those of the stream, except for `buffer`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = _encoding(stream)
        self._draws = stream.isatty() or bool(os.environ.get("FORCE_COLOR"))
        #: Why something could not be written; None if everything was, or if the reader has left.
        self.lost: str | None = None

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() takes a str, not {type(text).__name__}")
        parts = _DRAWING.split(text) if self._draws else [text]
        parts[::2] = [printable_lines(part, self.encoding) for part in parts[::2]]
        with self._dropping():
            self._stream.write("".join(parts))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def write_page(self, text: str) -> None:
        """Write a document whose format escapes what is in it, and that names UTF-8 as its encoding."""
        with self._dropping():
            self._stream.flush()
            self._stream.buffer.write(text.encode(errors="xmlcharrefreplace"))

    def flush(self) -> None:
        with self._dropping():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # whose bytes would not be checked
            raise AttributeError(name)
        return getattr(self._stream, name)

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not isinstance(error, BrokenPipeError):  # else the reader has left, as in `| head`
                self.lost = error.strerror or type(error).__name__
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
            self._stream.flush()  # what it still holds


@contextmanager
def guarded() -> Iterator[tuple[Guard, Guard]]:
    """Put guards in place of stdout and stderr in the `with` block, and return them."""
    _open_closed()
    before = sys.stdout, sys.stderr
    guards = Guard(sys.stdout), Guard(sys.stderr)
    sys.stdout, sys.stderr = (cast(TextIO, guard) for guard in guards)
    try:
        yield guards
    finally:
        for guard in guards:
            guard.flush()
        sys.stdout, sys.stderr = before


def _encoding(stream: TextIO) -> str:
    """Return the encoding for what is printed: ASCII if the locale was set to C, for which Python takes UTF-8.

    Python then also sets LC_CTYPE to another locale, unless LC_ALL is set (PEP 538).
    """
    if os.environ.get("PYTHONIOENCODING") or os.environ.get("PYTHONUTF8") == "1":
        return encoding_of(stream)
    locales = [os.environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if locales[1] in ("C.UTF-8", "C.utf8", "UTF-8") and not locales[0]:
        locales[1] = None
    in_force = next(filter(None, locales), None)
    return "ascii" if in_force in ("C", "POSIX") else encoding_of(stream)


def print_page(text: str) -> None:
    """Print a document that names UTF-8 as its encoding, such as HTML, to stdout, whose own encoding may be another."""
    stdout: object = sys.stdout
    if isinstance(stdout, Guard):
        stdout.write_page(text)
    else:
        print(text, end="")  # noqa: T201


def _open_closed() -> None:
    """Open the null device for each standard stream that was closed when Python started, as `>&-` does.

    Otherwise the next file that is opened would get its descriptor, and what a child prints would go into that file.
    """
    for descriptor, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest descriptor that is free
            os.set_inheritable(null, null == descriptor)
            setattr(sys, name, os.fdopen(null, mode))

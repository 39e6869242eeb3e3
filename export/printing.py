"""The door to the terminal: every text from outside passes one of these functions before it is printed.

A name in a model, an ONNX file or a report may contain anything: sequences that set a terminal's title or colours, line
breaks that forge a line, characters that turn the direction of a line. They are shown, never sent.
"""

import re
import sys
from typing import TextIO

#: Characters of this project's own texts, in ASCII. An ellipsis stays one character wide, because it ends what was cut
#: to a width.
_IN_ASCII = {"–": "-", "—": "-", "±": "+-", "·": "*", "…": "~", "⏎": "\\n", "×": "x", "≤": "<=", "≥": ">=", "µ": "u"}

_SPACES = re.compile(r"\s+")


class _Shown(dict[int, str]):
    """Code point -> what is printed for it, for `str.translate`. Control and format characters become escapes.

    encoding: characters that it lacks become ASCII: this project's own as `_IN_ASCII` says, others an escape.
    """

    def __init__(self, encoding: str, kept: str = "") -> None:
        super().__init__({ord(character): character for character in kept})
        self._encoding = encoding

    def __missing__(self, code: int) -> str:
        self[code] = shown = self._shown(chr(code))
        return shown

    def _shown(self, character: str) -> str:
        if not character.isprintable():
            return self.escape(ord(character))
        try:
            character.encode(self._encoding)
        except UnicodeEncodeError:
            return _IN_ASCII.get(character) or self.escape(ord(character))
        return character

    def escape(self, code: int) -> str:
        """Return the escape of a code point, as in a string of Python."""
        return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


class _InJson(_Shown):
    """The same for a JSON document, whose meaning does not change: all escapes are those of a JSON string."""

    def _shown(self, character: str) -> str:
        shown = super()._shown(character)
        return shown if shown == character else self.escape(ord(character))

    def escape(self, code: int) -> str:
        units = chr(code).encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


#: (kind, encoding) -> the table for `str.translate`.
_tables: dict[tuple[str, str], _Shown] = {}


def _table(kind: str, encoding: str) -> _Shown:
    if (kind, encoding) not in _tables:
        made = {"line": _Shown(encoding), "lines": _Shown(encoding, "\n\t"), "json": _InJson(encoding, "\n")}
        _tables[kind, encoding] = made[kind]
    return _tables[kind, encoding]


def printable(text: str, encoding: str = "utf-8") -> str:
    """Return a text as one line that a terminal shows as it is.

    Line breaks, tabs and other whitespace become one space, control and format characters escapes. encoding: the
    terminal's; characters that it lacks become ASCII, or escapes.

    >>> printable("a\\n b\\x1b[2J\\u202e \\udc80")
    'a b\\\\x1b[2J\\\\u202e \\\\udc80'
    >>> printable("0.77 ±.11 – café", "ascii")
    '0.77 +-.11 - caf\\\\xe9'
    """
    return _SPACES.sub(_space, text).translate(_table("line", encoding))


def _space(run: re.Match[str]) -> str:
    """Return what a run of whitespace becomes. Plain spaces stay, because they align this project's own lines."""
    if not run[0].strip(" "):
        return run[0]
    return "" if run.start() == 0 or run.end() == len(run.string) else " "


def printable_lines(text: str, encoding: str = "utf-8") -> str:
    """Return a text that a terminal shows as it is, with its line breaks and tabs.

    >>> printable_lines("a\\n\\tb\\r\\x07")
    'a\\n\\tb\\\\x0d\\\\x07'
    """
    return text.translate(_table("lines", encoding))


def printable_json(document: str, encoding: str = "utf-8") -> str:
    """Return a JSON document with the same meaning that a terminal shows as it is.

    >>> printable_json('{"a": "\\u202e–"}'), printable_json('"–\\U0001f600"', "ascii")
    ('{"a": "\\\\u202e–"}', '"\\\\u2013\\\\ud83d\\\\ude00"')
    """
    return document.translate(_table("json", encoding))


def encoding_of(stream: object) -> str:
    """Return the encoding of a text stream, or UTF-8 if it has none."""
    return getattr(stream, "encoding", None) or "utf-8"


def print_line(text: str = "", file: TextIO | None = None) -> None:
    """Print a text as one line, as `printable` returns it. file: None is stdout.

    >>> print_line("a\\nb")
    a b
    """
    file = file or sys.stdout
    print(printable(text, encoding_of(file)), file=file, flush=True)


def print_lines(text: str) -> None:
    """Print a text, which may end with a line break, to stdout, as `printable_lines` returns it."""
    print(printable_lines(text.removesuffix("\n"), encoding_of(sys.stdout)))  # noqa: T201


def print_json(document: str) -> None:
    """Print a JSON document to stdout, as `printable_json` returns it."""
    print(printable_json(document, encoding_of(sys.stdout)))  # noqa: T201

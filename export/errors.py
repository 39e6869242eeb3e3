"""Errors that a user can fix. Each class has the exit code with which it ends a command (docs/design.md).

ComparisonError
├── BadInput      exit 2: an argument or a named file cannot be used
│   └── BadSetting  a setting of a comparison cannot be used
└── CannotRun     exit 3: a model or runtime that was requested by name cannot run here
    └── NotAvailable  a model of the hub cannot be had
"""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

from export.printing import printable


class ComparisonError(Exception):
    """The base of all errors that commands show in one line, without a traceback.

    The message says what is wrong, with the values, and gives the command that fixes it if there is one.
    """

    exit_code = 2

    def __str__(self) -> str:
        """Return the message as one line that a terminal shows as it is, whatever a name in it contains."""
        return printable(super().__str__())


class BadInput(ComparisonError):
    """An argument or a named file cannot be used."""


class BadSetting(BadInput):
    """A setting of a comparison cannot be used. The message uses the setting names of the Python API.

    message: the text, with the names of settings and of `values` in braces.
    values: the values to put into the text.

    >>> error = BadSetting("{min_rounds} is {value}; it must be at least 1", value=0)
    >>> str(error), str(error.on_command_line())
    ('min_rounds is 0; it must be at least 1', '--min-rounds is 0; it must be at least 1')
    """

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message.format_map(_Named(str, values)))
        self._message, self._values = message, values

    def on_command_line(self) -> BadInput:
        """Return the same error with each setting written as its command-line option."""
        return BadInput(self._message.format_map(_Named(_option, self._values)))


class _Named(dict[str, object]):
    """A dictionary of values that returns `named(name)` for names that it lacks, which are those of settings."""

    def __init__(self, named: Callable[[str], str], values: Mapping[str, object]) -> None:
        super().__init__(values)
        self._named = named

    def __missing__(self, name: str) -> str:
        return self._named(name)


#: Settings whose options are given once for each value, and so have a name in the singular.
_REPEATED = {"options": "--option", "providers": "--provider"}


def _option(setting: str) -> str:
    return _REPEATED.get(setting) or "--" + setting.replace("_", "-")


class CannotRun(ComparisonError):
    """A model or a runtime that was requested by name cannot run here."""

    exit_code = 3


class NotAvailable(CannotRun):
    """A model of the hub cannot be had: the hub has no such model, does not answer, or its download failed."""


def near(wrong: str, known: Iterable[str]) -> str:
    """Return the end of an error message about an unknown name: similar known names, or else all known names.

    >>> near("onnxruntim", ["onnxruntime", "torch-eager"])
    'did you mean onnxruntime?'
    >>> near("x", ["onnxruntime", "torch-eager"])
    'known: onnxruntime, torch-eager'
    """
    known = list(known)
    return similar(wrong, known) or f"known: {', '.join(known)}"


def similar(wrong: str, known: Iterable[str]) -> str:
    """Return a question that names the known names similar to a wrong one; empty if there are none.

    >>> similar("distilgpt3", ["distilgpt2", "byte-gpt2"]), similar("x", ["byte-gpt2"])
    ('did you mean distilgpt2?', '')
    """
    matches = get_close_matches(wrong, list(known), n=3)
    return f"did you mean {' or '.join(matches)}?" if matches else ""


def quoted(value: object, most: int = 80) -> str:
    """Return a value for a message as Python writes it, which shows control characters, cut to about `most` characters.

    >>> quoted("a\\x1b"), quoted("b" * 200, most=5), quoted(2.5)
    ("'a\\\\x1b'", "'bbbbb'... (200 characters)", '2.5')
    """
    if isinstance(value, str):
        return repr(value) if len(value) <= most else f"{value[:most]!r}... ({len(value):,} characters)"
    try:
        written = repr(value)
    except Exception:  # anything may be in a value; of an integer, Python writes no more than some thousand digits
        written = f"a very large {type(value).__name__}"
    return written if len(written) <= most else f"{written[:most]}..."


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its type if the message is empty.

    >>> first_line(ValueError("no such axis\\nhere is how to fix your code: ..."))
    'no such axis'
    >>> first_line(KeyboardInterrupt())
    'KeyboardInterrupt'
    """
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


#: The most characters of a library's error that a message shows.
_CAUSE = 400


def cause(error: BaseException) -> str:
    """Return what a library's error says, for a message that says what failed.

    That is its first line, with the next one if it ends with a colon, and the type of errors that say little alone.

    >>> cause(KeyError("n_layer")), cause(ValueError("bad sizes:\\n  n_layer is 0\\nsee the manual"))
    ("KeyError: 'n_layer'", 'bad sizes: n_layer is 0')
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
    text = text if len(text) <= _CAUSE else f"{text[:_CAUSE]}..."
    if not text:
        return type(error).__name__
    clear = isinstance(error, OSError | ValueError | RuntimeError) or type(error) is Exception
    return text if clear and not isinstance(error, RecursionError) else f"{type(error).__name__}: {text}"

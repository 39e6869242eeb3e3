"""The errors a person can mend. Each carries the exit code that the commands end with (docs/design.md).

ComparisonError
├── BadInput      exit 2: what was typed, or a file that was named, is not usable
│   └── BadSetting  a setting of a comparison is not usable
└── CannotRun     exit 3: a model or runtime that was asked for by name cannot run here
"""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches


class ComparisonError(Exception):
    """What happened, with the values, and the command that mends it. Never shown with a traceback."""

    exit_code = 2


class BadInput(ComparisonError):
    """What was typed, or a file that was named, is not usable."""


class BadSetting(BadInput):
    """A setting of a comparison is not usable. The message names settings as the Python API has them.

    message: has the names of settings in braces, as well as those of `values`.

    >>> error = BadSetting("{min_rounds} is {value}; it must be at least 1", value=0)
    >>> str(error), str(error.on_command_line())
    ('min_rounds is 0; it must be at least 1', '--min-rounds is 0; it must be at least 1')
    """

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message.format_map(_Named(str, values)))
        self._message, self._values = message, values

    def on_command_line(self) -> BadInput:
        """The same error with each setting named as its option."""
        return BadInput(self._message.format_map(_Named(_option, self._values)))


class _Named(dict[str, object]):
    """Values by name; any other name is a setting's, which `named` spells."""

    def __init__(self, named: Callable[[str], str], values: Mapping[str, object]) -> None:
        super().__init__(values)
        self._named = named

    def __missing__(self, name: str) -> str:
        return self._named(name)


def _option(setting: str) -> str:
    return "--" + setting.replace("_", "-")


class CannotRun(ComparisonError):
    """A model or a runtime that was asked for by name cannot run here."""

    exit_code = 3


def near(wrong: str, known: Iterable[str]) -> str:
    """Ends an error about an unknown name: the names it may have meant, else all there are.

    >>> near("onnxruntim", ["onnxruntime", "torch-eager"])
    'did you mean onnxruntime?'
    >>> near("x", ["onnxruntime", "torch-eager"])
    'known: onnxruntime, torch-eager'
    """
    known = list(known)
    matches = get_close_matches(wrong, known, n=3)
    return f"did you mean {' or '.join(matches)}?" if matches else f"known: {', '.join(known)}"


def first_line(error: BaseException) -> str:
    """What somebody else's error says, in one line of ours.

    >>> first_line(ValueError("no such axis\\nhere is how to fix your code: ..."))
    'no such axis'
    >>> first_line(KeyboardInterrupt())
    'KeyboardInterrupt'
    """
    return next(iter(str(error).strip().splitlines()), type(error).__name__)

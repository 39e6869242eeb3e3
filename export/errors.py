"""The errors a person can mend. Each carries the exit code that the commands end with (docs/design.md).

ComparisonError
├── BadInput      exit 2: what was typed, or a file that was named, is not usable
└── CannotRun     exit 3: a model or runtime that was asked for by name cannot run here
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ComparisonError(Exception):
    """What happened, with the values, and the command that mends it. Never shown with a traceback."""

    exit_code = 2


class BadInput(ComparisonError):
    """What was typed, or a file that was named, is not usable."""


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

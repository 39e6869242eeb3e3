"""A call of a function as Python source, for the report that it makes."""

import ast
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

#: The most characters of a string in a call. A longer one is the text of a file, which nobody types.
_LONGEST = 100_000


def written_call(function: Callable[..., Any], given: Mapping[str, Any]) -> str | None:
    """Return a call as Python source, without the arguments that are the defaults.

    given: name -> value of the arguments. Returns None if one of them has no literal, such as a loaded model.

    >>> def compare(model=None, text=None, batch=1): ...
    >>> print(written_call(compare, {"model": "byte-gpt2", "text": "it's", "batch": 1}))
    compare(model='byte-gpt2', text="it's")
    >>> written_call(compare, {"model": object()}) is None
    True
    """
    defaults = {name: each.default for name, each in inspect.signature(function).parameters.items()}
    written = []
    for name, value in given.items():
        if value is defaults[name]:
            continue
        literal = _literal(value)
        if literal is None:
            return None
        if literal != repr(defaults[name]):
            written.append(f"{name}={literal}")
    return f"{function.__name__}({', '.join(written)})"


def _literal(value: Any) -> str | None:
    """Return the source of a value; None if it is not made of literals, or is long. A path is written as a `Path`."""
    if isinstance(value, Path):
        return f"Path({str(value)!r})"
    if isinstance(value, str) and len(value) > _LONGEST:
        return None
    try:
        source = repr(value)
        return source if ast.literal_eval(source) == value else None
    except (ValueError, SyntaxError):
        return None

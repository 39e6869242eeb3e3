"""Functions for the arguments of commands: names separated by commas, the text, options of runtimes, and --version."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from export.errors import BadInput
from export.printing import print_line

#: The command that the wheel installs.
SCRIPT = "onnx-attention-compare"


def names_in(given: str, option: str, lists: str) -> list[str]:
    """Split an option's value at commas. Raises `BadInput` if it has no names. lists: which command lists the names."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise BadInput(f"{option} has no names; leave it out for all; {lists}")
    return names


def options_in(given: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the values of --option, each RUNTIME.KEY=VALUE, as runtime -> key -> value.

    Raises `BadInput` for a value of another form, and for a key that is given twice.

    >>> options_in(["torch-eager.matmul_precision=high", "onnxruntime.session.intra_op.allow_spinning=0"])
    {'torch-eager': {'matmul_precision': 'high'}, 'onnxruntime': {'session.intra_op.allow_spinning': '0'}}
    """
    options: dict[str, dict[str, str]] = {}
    for each in given:
        place, equals, value = each.partition("=")
        runtime, _, key = place.partition(".")
        if not (runtime and key and equals):
            raise BadInput(
                f"--option is {each!r}; it must be RUNTIME.KEY=VALUE, such as torch-eager.matmul_precision=high"
            )
        if key in options.setdefault(runtime, {}):
            raise BadInput(f"--option {place} is given twice, with {options[runtime][key]!r} and {value!r}")
        options[runtime][key] = value
    return options


def text_in(text: str | None, path: Path | None) -> str | None:
    """Return the value of --text or the content of --text-file; None means the text that ships with the project.

    Raises `BadInput` if both were given, or if the file cannot be read.
    """
    if path is None:
        return text
    if text is not None:
        raise BadInput("--text and --text-file exclude each other; leave one out")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInput(f"--text-file {path} cannot be read: {why}") from error


def program() -> str:
    """Return the start of the command line: the command that the wheel installs, or `python -m compare`."""
    return SCRIPT if Path(sys.argv[0]).name == SCRIPT else "python -m compare"


def typed_command() -> str:
    """Return the command line as text that a shell takes in the same folder. The user's home folder is written as ~."""
    return " ".join([program(), *map(_quoted, sys.argv[1:])])


def _quoted(argument: str) -> str:
    home = f"{Path.home()}/"
    return f"~/{shlex.quote(argument.removeprefix(home))}" if argument.startswith(home) else shlex.quote(argument)


def print_version(wanted: bool) -> None:
    """Print the version of this project and exit, if it is wanted."""
    if wanted:
        from importlib.metadata import version

        print_line(f"{SCRIPT} {version(SCRIPT)}")
        raise typer.Exit

"""Functions for the arguments of commands: names separated by commas, the text, options of runtimes, and --version."""

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from compare.pipeline.paths import path_of
from compare.pipeline.settings import LONGEST_TEXT
from export.errors import BadInput, quoted
from export.outside import read_text
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
                f"--option is {quoted(each)}; it must be RUNTIME.KEY=VALUE, such as torch-eager.matmul_precision=high"
            )
        if key in options.setdefault(runtime, {}):
            raise BadInput(
                f"--option {place[:80]} is given twice, with {quoted(options[runtime][key])} and {quoted(value)}"
            )
        options[runtime][key] = value
    return options


def text_in(text: str | None, path: Path | None) -> str | None:
    """Return the value of --text or the content of --text-file; None means the text that ships with the project.

    A byte order mark is left out. Raises `BadInput` if both were given, or if the file is not a regular one with UTF-8
    text of at most `LONGEST_TEXT` bytes.
    """
    if path is None:
        return text
    if text is not None:
        raise BadInput("--text and --text-file exclude each other; leave one out")
    mend = "give --text-file a file of UTF-8 text, or a part of it if it is long"
    return read_text(path, "text", LONGEST_TEXT, mend).removeprefix("\ufeff")


def path_parser(setting: str) -> Callable[[str], Path]:
    """Return a function that reads an option which is a path. It raises `BadInput` for what cannot be one."""

    def path(value: str) -> Path:
        return path_of(setting, value)

    return path


def program() -> str:
    """Return the start of the command line: the command that the wheel installs, or `python -m compare`."""
    return SCRIPT if Path(sys.argv[0]).name == SCRIPT else "python -m compare"


def typed_command() -> str | None:
    """Return the command line as text that a shell takes in the same folder. The user's home folder is written as ~.

    It is None if an argument is not UTF-8.
    """
    command = " ".join([program(), *map(_quoted, sys.argv[1:])])
    try:
        command.encode()
    except UnicodeEncodeError:
        return None
    return command


def _quoted(argument: str) -> str:
    try:
        home = f"{Path.home()}/"
    except RuntimeError:  # there is no home folder
        home = ""
    if Path(home).is_absolute() and argument.startswith(home):
        return f"~/{shlex.quote(argument.removeprefix(home))}"
    return shlex.quote(argument)


def print_version(wanted: bool) -> None:
    """Print the version of this project and exit, if it is wanted."""
    if wanted:
        from importlib.metadata import version

        print_line(f"{SCRIPT} {version(SCRIPT)}")
        raise typer.Exit

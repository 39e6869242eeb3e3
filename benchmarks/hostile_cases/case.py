"""A hostile or careless input: the command that reads it, how its files are made, and what is right."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

#: Makes the files of a case in the working folder of its command.
Make = Callable[[Path], object]

#: The exit codes of a refusal: the input is wrong, or what it names cannot run here.
REFUSED = (2, 3)

#: The exit codes of a command that did what was asked. After a comparison, 1 is a verdict.
DONE = (0, 1)

#: Where a reader of the output stops, or nobody reads it: the command ends as if it was done, or by the signal.
UNREAD = (0, 141)


def nothing(_: Path) -> None:
    """Make no files."""


@dataclass(frozen=True)
class Case:
    """An input and what is right.

    mechanism: the way in which it is hostile or careless. detail: what is special about this input.
    command: the program and its arguments, as `command_line` in run.py takes them. Paths are relative to the working
        folder.
    make: makes its files there.
    codes: the exit codes that are right.
    says: a part of the error line, or of stdout if it is no refusal.
    lacks: what neither stdout nor stderr may contain.
    check: returns what is wrong in the working folder afterwards; empty if nothing is.
    environment: variables that differ from those of other cases; None removes one.
    needs: what the cache must hold: "byte-gpt2", the entry of the shipped model; "golden", a golden run.
    writes: files and folders of the working folder that may change.
    seconds: the time limit. gigabytes: the limit of the memory of all its processes.
    lines: how many error lines there are; by default one if the code is that of a refusal, else none.
    terminal: whether stdout and stderr are a terminal.
    fast: whether it is decided in about a second by a process that has imported everything, so that a test runs it.
    """

    mechanism: str
    detail: str
    command: tuple[str | bytes, ...]
    make: Make = nothing
    codes: tuple[int, ...] = REFUSED
    says: str = ""
    lacks: tuple[str, ...] = ()
    check: Callable[[Path], str] = lambda _: ""
    environment: Mapping[str, str | bytes | None] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    seconds: float = 60.0
    gigabytes: float = 3.0
    lines: int | None = None
    terminal: bool = False
    fast: bool = False

    @property
    def name(self) -> str:
        """The mechanism and the detail."""
        return f"{self.mechanism}: {self.detail}"


class Of(Protocol):
    """Makes a case of one mechanism."""

    def __call__(self, detail: str, *command: str | bytes, **more: Any) -> Case: ...


def mechanism(name: str, **usual: Any) -> Of:
    """Return a function that makes the cases of a mechanism. usual: fields that they have unless they name others.

    >>> mechanism("a number that is none", fast=True)("a word", "compare", "--batch", "two").name
    'a number that is none: a word'
    """

    def made(detail: str, *command: str | bytes, **more: Any) -> Case:
        return Case(name, detail, command, **{**usual, **more})

    return made

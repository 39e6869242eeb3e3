"""What is listed by name and not imported before it is used: a runtime, a kernel."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

from export.errors import CannotRun


@dataclass(frozen=True)
class Listed:
    """A class that is kept elsewhere.

    target: "module:Class". requires: the packages it imports, a part of one (`optimum.onnxruntime`) where others bring
    the rest. install: the command that brings them.

    >>> listed = Listed("x", "json:JSONDecoder", "an example", ("json.decoder", "no_such_9.part"), "pip install x")
    >>> listed.missing()
    ['no_such_9.part']
    """

    name: str
    target: str
    summary: str
    requires: tuple[str, ...]
    install: str

    #: What such a thing is called in an error.
    noun: ClassVar[str] = "part"

    def missing(self) -> list[str]:
        """The packages it requires that are not installed."""
        return [package for package in self.requires if not _is_there(package)]

    def check_installed(self) -> None:
        """Raises `CannotRun` with the command that installs what is missing."""
        if missing := self.missing():
            raise CannotRun(f"{self.noun} {self.name} needs {', '.join(missing)}, not installed here: {self.install}")

    def load(self) -> Any:
        """Import the class. Raises `CannotRun` where what it requires is not installed."""
        self.check_installed()
        module, _, name = self.target.partition(":")
        return getattr(import_module(module), name)


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # what it is a part of is not there
        return False

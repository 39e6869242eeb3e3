"""Classes that are listed by name and imported only when used, such as runtimes and kernels."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

from export.errors import CannotRun
from export.garbage import no_collection

#: What takes long to import for a process that runs a model in torch: transformers imports it when it is first used.
TORCH_LIBRARIES = ("torch", "transformers.modeling_utils", "transformers.models.auto.modeling_auto")


@dataclass(frozen=True)
class Listed:
    """A class that is listed without being imported.

    name: its name in the list.
    target: where it is defined, "module:Class".
    summary: one phrase for the list.
    requires: the packages that it imports, or subpackages that are installed separately, such as `optimum.onnxruntime`.
    install: the command that installs them.

    >>> listed = Listed("x", "json:JSONDecoder", "an example", ("json.decoder", "no_such_9.part"), "pip install x")
    >>> listed.missing()
    ['no_such_9.part']
    """

    name: str
    target: str
    summary: str
    requires: tuple[str, ...]
    install: str

    #: The kind of class, as error messages call it.
    noun: ClassVar[str] = "part"

    def missing(self) -> list[str]:
        """Return the required packages that are not installed."""
        return [package for package in self.requires if not _is_there(package)]

    def needs(self) -> str:
        """Return what is missing in words, and the command that installs it; empty if nothing is."""
        missing = self.missing()
        return f"needs {', '.join(missing)} (not installed); install with: {self.install}" if missing else ""

    def check_installed(self) -> None:
        """Check that all required packages are installed.

        Raises `CannotRun` with the command that installs them if one is missing.
        """
        if needs := self.needs():
            raise CannotRun(f"{self.noun} {self.name} {needs}")

    def load(self) -> Any:
        """Import the class. Raises `CannotRun` if a required package is not installed."""
        self.check_installed()
        return imported(self.target)


def imported(target: str) -> Any:
    """Import what a target names, "module:name".

    >>> imported("json:dumps")([1])
    '[1]'
    """
    module, _, name = target.partition(":")
    with no_collection():  # as a template does
        return getattr(import_module(module), name)


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # its parent package is not installed
        return False

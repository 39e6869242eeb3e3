"""Virtual environments for the libraries that benchmarks compare with, made from lists of pinned packages."""

from pathlib import Path

from compare.processes.virtual_environment import VirtualEnvironment


def peer_python(packages: Path) -> Path:
    """Return the interpreter of an environment with the packages of a list, which is made if it does not exist.

    packages: the file with the list. Raises `CannotRun` if a package cannot be installed.
    """
    environment = VirtualEnvironment(packages.stem, tuple(packages.read_text().splitlines()))
    environment.make()
    return environment.python

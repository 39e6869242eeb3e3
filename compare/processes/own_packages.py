"""Run a module with this project's own `compare` and `export`, even if other modules have these names.

    python -P own_packages.py MODULE ARGUMENT...

This is like `python -m MODULE ARGUMENT...`, but imports nothing from the working folder, and takes `compare` and
`export` from the folder that holds this file's package: site-packages, a checkout, or an entry of PYTHONPATH. An import
hook finds the two packages. Adding their folder to PYTHONPATH would not work: if it is site-packages, installed
packages would hide the standard library.
"""

import runpy
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

#: The folder that holds the packages of this project.
FOLDER = Path(__file__).parents[2]
PACKAGES = ("compare", "export")


class _OwnPackages(MetaPathFinder):
    """An import hook that finds only the packages of this project."""

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, [str(FOLDER)]) if fullname in PACKAGES else None


def pin() -> None:
    """Make `import compare` and `import export` find the packages of this project, whatever the search path."""
    sys.meta_path.insert(0, _OwnPackages())


def command(module: str, *arguments: str, python: str = sys.executable) -> list[str]:
    """Return the command that runs a module in a new process with the packages of this project.

    python: the interpreter, whose other packages the module can import.

    >>> command("compare.processes.guardian", "a/1")[3:]
    ['compare.processes.guardian', 'a/1']
    """
    return [python, "-P", __file__, module, *arguments]


if __name__ == "__main__":
    del sys.argv[0]
    pin()
    command_line = sys.argv
    while command_line:  # a module that was forked goes on as another one, see `compare.processes.template`
        sys.argv = command_line
        command_line = runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True).get("GO_ON_AS", [])

"""Start Python with the `compare` and `export` of this project, whatever else has these names where it is started.

    python -P own_packages.py MODULE ARGUMENT...

runs a module as `python -m MODULE ARGUMENT...` does, but imports nothing from the working folder, and finds `compare`
and `export` beside this file, be that in site-packages, in a checkout or on PYTHONPATH. They are found by name and not
by a longer search path: with site-packages on PYTHONPATH, what is installed would hide the standard library.
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
    """Finds the packages of this project, and nothing else."""

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, [str(FOLDER)]) if fullname in PACKAGES else None


def pin() -> None:
    """Let `import compare` and `import export` find the packages of this project, before any search path."""
    sys.meta_path.insert(0, _OwnPackages())


def command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module in a new process with the packages of this project.

    >>> command("compare.processes.guardian", "a/1")[3:]
    ['compare.processes.guardian', 'a/1']
    """
    return [sys.executable, "-P", __file__, module, *arguments]


if __name__ == "__main__":
    del sys.argv[0]
    pin()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

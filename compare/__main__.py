"""`python -m compare`, and the console script `onnx-attention-compare`.

`python -m` puts the working folder first on the module search path, and this folder can contain files with the names of
modules that are imported here. So the packages of this project are pinned before the first import from `export`, and
the working folder is removed from the path.
"""

import sys
from importlib.machinery import PathFinder

from compare.processes import own_packages


def main() -> None:
    """Run the command line."""
    own_packages.pin()
    from export.command import finish, leave_working_folder

    folder = leave_working_folder()
    other = PathFinder.find_spec("export", [str(folder)]) if folder else None
    if other is not None and other.origin is not None:
        print(f"note: {other.origin} is not imported: python -m compare has a package of that name", file=sys.stderr)
    finish(_run)


def _run() -> int | None:
    from compare.cli.app import run  # an interruption of this import ends the command in the same way

    return run()


if __name__ == "__main__":
    main()

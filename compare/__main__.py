"""`python -m compare`, and the console script `onnx-attention-compare`.

`python -m` puts the working folder first on the module search path, and this folder can contain files with the names of
modules that are imported here. So the packages of this project are pinned before the first import from `export`, and
the working folder is removed from the path.
"""

import sys
from functools import partial
from importlib.machinery import PathFinder
from pathlib import Path

from compare.processes import own_packages


def main() -> None:
    """Run the command line."""
    own_packages.pin()
    from compare.cli.environment import ignore_wrong_sizes
    from export.command import finish, leave_working_folder

    ignore_wrong_sizes()
    finish(partial(_run, leave_working_folder()))


def _run(left: Path | None) -> int | None:
    """Run the command line. left: the working folder, if it was removed from the search path."""
    from export.printing import print_line

    other = PathFinder.find_spec("export", [str(left)]) if left else None
    if other is not None and other.origin is not None:
        note = f"note: {other.origin} is not imported: python -m compare has a package of that name"
        print_line(note, sys.stderr)
    from compare.cli.app import run

    return run()


if __name__ == "__main__":
    main()

"""`python -m compare`, and the console script `onnx-attention-compare`.

The working folder can contain files with the names of modules that are imported here. `compare/__init__.py` has removed
it from the search path, and the packages of this project are pinned before the first import from `export`.
"""

import sys
from importlib.machinery import PathFinder

from compare import working_folder
from compare.processes import own_packages


def main() -> None:
    """Run the command line."""
    own_packages.pin()
    from compare.cli.environment import ignore_wrong_sizes
    from export.command import finish

    ignore_wrong_sizes()
    finish(_run)


def _run() -> int | None:
    from export.printing import print_line

    other = PathFinder.find_spec("export", [working_folder]) if working_folder else None
    if other is not None and other.origin not in (None, str(own_packages.FOLDER / "export" / "__init__.py")):
        note = f"note: {other.origin} is not imported: python -m compare has a package of that name"
        print_line(note, sys.stderr)
    from compare.cli.app import run

    return run()


if __name__ == "__main__":
    main()

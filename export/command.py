"""How the commands of this project end: an exit code, and one line on stderr for what a person can mend."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from export.errors import ComparisonError
from export.telemetry import turn_off


def finish(command: Callable[[], int | None]) -> NoReturn:
    """Run a command to its end: exits with what it returns, 2 or 3 (see `export.errors`), or 130 when interrupted."""
    turn_off()
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # nobody here can mend what it warns of
    try:
        code = command() or 0
        sys.stdout.flush()
    except ComparisonError as error:
        code = _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        code = _fail("interrupted", 130)
    except BrokenPipeError:  # the reader of our output has gone, `| head` for one
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def leave_working_folder() -> Path | None:
    """Take the working folder off the module search path where `python -m` has put it; returns that folder.

    A command that is installed imports nothing from there: a file called numpy.py would be taken for NumPy. None, and
    nothing is changed, where the folder is this project's checkout, or was not put there.
    """
    first = Path(sys.path[0])
    put_there = not sys.flags.safe_path and first.is_dir() and first.samefile(".")
    if not put_there or first.samefile(Path(__file__).parents[1]):
        return None
    del sys.path[0]
    return first


def _fail(message: str, code: int) -> int:
    print("error:", " ".join(message.split()), file=sys.stderr)
    return code

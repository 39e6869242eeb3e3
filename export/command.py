"""Functions that start and end every command: search path, exit code, and errors as one line on stderr."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from export import interruption
from export.errors import ComparisonError
from export.telemetry import turn_off


def finish(command: Callable[[], int | None]) -> NoReturn:
    """Run a command and exit with the code that it returns.

    The errors of `export.errors` exit with 2 or 3, and an interruption exits with 128 and the signal's number; both
    print a line on stderr.
    """
    interruption.catch()
    turn_off()
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its warnings are not about the user's input
    try:
        code = command() or 0
        sys.stdout.flush()
    except ComparisonError as error:
        code = _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        code = _fail(interruption.words(), interruption.exit_code())
    except BrokenPipeError:  # the reader of the output has exited, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def leave_working_folder() -> Path | None:
    """Remove the working folder from the module search path if `python -m` put it there, and return that folder.

    An installed command imports nothing from the working folder, where a file numpy.py would be imported as NumPy.
    Returns None and changes nothing if the folder is this project's checkout or is not on the path.
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

"""How the commands of this project end: an exit code, and one line on stderr for what a person can mend."""

import os
import sys
from collections.abc import Callable
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


def _fail(message: str, code: int) -> int:
    print("error:", " ".join(message.split()), file=sys.stderr)
    return code

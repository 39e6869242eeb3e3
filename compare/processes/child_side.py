"""The code that runs inside a child process: read the job and the questions, and end together with the parent."""

import ctypes
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from export.printing import printable


def main_of_child(work: Callable[[dict[str, Any]], None]) -> None:
    """Do the job given on the command line and exit; on an exception, write it to stderr as the last line, exit with 1.

    work: the function that does the job.

    It exits without the end of the interpreter, which would free every object. In a forked child, that copies all
    memory which the child shares with its parent: 1 s of a trace's 1.6.
    """
    die_with_parent()
    adopt_orphans()
    code = 0
    try:
        work(json.loads(sys.argv[1]))
    except Exception as error:
        import traceback

        traceback.print_exc()
        print(in_a_line(error), file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


#: An absolute path of a file, with its name as a group. What follows a word or a colon is none, such as in a URL.
_PATH = re.compile(r"(?<![\w:/.])/(?:[^\s/'\":]+/)+([^\s/'\":]*)")


def in_a_line(error: Exception, most: int | None = None) -> str:
    """Return an exception as one line of text that can be printed, and that a report can hold.

    most: the largest number of characters, None for no limit. Files have their names alone, because a report contains
    no paths; the traceback in the child's log has them.

    >>> in_a_line(ValueError("no such\\n  shape")), in_a_line(ValueError("no such shape"), most=14)
    ('ValueError: no such shape', 'ValueError: no')
    >>> in_a_line(OSError("cannot load '/home/user/a.onnx'; see https://host/a/b"))
    "OSError: cannot load 'a.onnx'; see https://host/a/b"
    """
    return _PATH.sub(r"\1", printable(f"{type(error).__name__}: {error}").strip())[:most]


def die_with_parent() -> None:
    """Make Linux kill this process when its parent ends in any way, because a suspended process cannot react itself."""
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG, prctl(2)
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent ends, so that they stay in its tree (Linux)."""
    if sys.platform == "linux":
        set_child_subreaper = 36  # PR_SET_CHILD_SUBREAPER, prctl(2)
        ctypes.CDLL(None).prctl(set_child_subreaper, 1)


def questions() -> Iterator[tuple[str, Callable[[Mapping[str, Any]], None]]]:
    """Return each line of a `Dialogue` on stdin, stripped, with the function that sends the answer.

    From this call on, what libraries print goes to the log, not between the answers. So call it before their import.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    lines = (line.decode().strip() for line in sys.stdin.buffer)  # UTF-8, whatever the locale's encoding is
    return ((line, lambda answer: print(json.dumps(answer), file=answers)) for line in lines)

"""The child's side of a child process: it reads its job and its questions, and ends with its parent."""

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any


def main_of_child(work: Callable[[dict[str, Any]], None]) -> None:
    """The child's side: does the job that stands on the command line; an exception becomes its last words, exit 1."""
    die_with_parent()
    adopt_orphans()
    try:
        work(json.loads(sys.argv[1]))
    except Exception as error:
        import traceback

        traceback.print_exc()
        print(in_a_line(error), file=sys.stderr)
        sys.exit(1)


def in_a_line(error: Exception, most: int | None = None) -> str:
    """What was raised, in one line of at most so many characters.

    >>> in_a_line(ValueError("no such\\n  shape")), in_a_line(ValueError("no such shape"), most=14)
    ('ValueError: no such shape', 'ValueError: no')
    """
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:most]


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends, however that ends: a suspended process cannot notice it."""
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG, prctl(2)
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def adopt_orphans() -> None:
    """Ask Linux to put what this process started below it again when whoever is between them ends: in its tree."""
    if sys.platform == "linux":
        set_child_subreaper = 36  # PR_SET_CHILD_SUBREAPER, prctl(2)
        ctypes.CDLL(None).prctl(set_child_subreaper, 1)


def questions() -> Iterator[tuple[str, Callable[[Mapping[str, Any]], None]]]:
    """The child's side of a `Dialogue`: each line, without its end, and the function that answers it."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to the log, not between the answers
    for line in sys.stdin:
        yield line.strip(), lambda answer: print(json.dumps(answer), file=answers)

"""The guardian: a small process that ends whoever is left of a run when the run's own process has ended.

A process that is killed cannot clean up. So one that starts children has a guardian beside it, which sleeps on a pipe
whose other end that process alone holds. The pipe closes however its holder ends; then all are killed that carry its
mark (`compare.processes.tree`). The guardian has a session of its own: Ctrl-C, and a terminal that closes, do not reach
it. `python -m compare.processes.guardian MARK`.
"""

import os
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from itertools import count

from compare.processes import own_packages
from compare.processes.tree import MARK, kill_marked


@dataclass
class _Guarded:
    """This process as it is guarded. pid: of whom; a fork is guarded on its own. mark: of all its children."""

    pid: int
    mark: str
    guardian: subprocess.Popen[bytes]
    numbers: "count[int]" = field(default_factory=lambda: count(1))


_guarded: _Guarded | None = None
_lock = threading.Lock()


def mark_of_child() -> str:
    """A mark for a new child of this process; the guardian is started with the first one.

    Where this process carries a mark itself, its children's begin with that: the guardian of whoever started it finds
    them too.
    """
    global _guarded
    with _lock:
        if _guarded is None or _guarded.pid != os.getpid():
            mark = "/".join(filter(None, [os.environ.get(MARK), uuid.uuid4().hex]))
            _guarded = _Guarded(os.getpid(), mark, _start(mark))
        elif _guarded.guardian.poll() is not None:  # somebody has killed it
            _guarded.guardian = _start(_guarded.mark)
        return f"{_guarded.mark}/{next(_guarded.numbers)}"


def _start(mark: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        own_packages.command("compare.processes.guardian", mark),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def main() -> None:
    """Wait for the end of whoever started this, then kill what carries the mark on the command line."""
    sys.stdin.buffer.read()
    kill_marked(sys.argv[1])
    time.sleep(0.5)  # one that was being started at that very moment had no mark yet
    kill_marked(sys.argv[1])


if __name__ == "__main__":
    main()

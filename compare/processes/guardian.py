"""The guardian: a small process that kills the remaining children of a run after the run's own process has ended.

    python -m compare.processes.guardian MARK

A process that is killed cannot clean up. So each process that starts children also starts a guardian, which waits on a
pipe whose other end only that process holds. When that process ends in any way, the pipe closes, and the guardian kills
every process with its mark (`compare.processes.tree`). The guardian has a session of its own, so Ctrl-C or a closed
terminal does not end it.
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
    """The guardian of a process.

    pid: the guarded process. A fork has another id and gets its own guardian.
    mark: the beginning of the marks of its children.
    guardian: the guardian's process.
    numbers: the counter that numbers the children.
    """

    pid: int
    mark: str
    guardian: subprocess.Popen[bytes]
    numbers: "count[int]" = field(default_factory=lambda: count(1))


_guarded: _Guarded | None = None
_lock = threading.Lock()


def mark_of_child() -> str:
    """Return the mark for a new child of this process. The first call also starts the guardian.

    If this process carries a mark itself, its children's marks begin with it, so that the guardian of its own parent
    finds them too. All children's marks have one length: a forked child writes its own over that of its template.
    """
    global _guarded
    with _lock:
        if _guarded is None or _guarded.pid != os.getpid():
            mark = "/".join(filter(None, [os.environ.get(MARK), uuid.uuid4().hex]))
            _guarded = _Guarded(os.getpid(), mark, _start(mark))
        elif _guarded.guardian.poll() is not None:  # the guardian was killed
            _guarded.guardian = _start(_guarded.mark)
        return f"{_guarded.mark}/{next(_guarded.numbers):06}"


def _start(mark: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        own_packages.command("compare.processes.guardian", mark),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def main() -> None:
    """Wait until the guarded process ends, then kill all processes with the mark given on the command line."""
    sys.stdin.buffer.read()
    kill_marked(sys.argv[1])
    time.sleep(0.5)  # a process that was just being started had no mark yet
    kill_marked(sys.argv[1])


if __name__ == "__main__":
    main()

"""A template: a process that imports libraries once and forks children, which then need not import them.

    python -m compare.processes.template JOB

The job gives the libraries, and the name of the variable that holds a process's mark (`compare.processes.tree`). stdin
is a Unix socket of packets. The template first sends a string of JSON: why it cannot fork, or nothing. Each request is
then one packet of JSON with four file descriptors: a socket for reports, and the child's stdin, stdout and stderr.

    {"module": ..., "job": ..., "environ": {variable: value that the template does not have, ...}, "own_memory": ...}

The child goes on as `python -m module JOB` would. With `own_memory`, it first takes the memory that a process which was
started on its own would have. Its reports are its process id, and when it has ended its exit code,
negative for a signal. It stays a zombie until the other end of the socket is closed, so that its process id stays its
own. The template ends when its parent closes the socket or ends.
"""

import ctypes
import gc
import json
import os
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, cast

from compare.processes.child_side import die_with_parent, in_a_line
from compare.processes.fork_memory import resident, take
from export.garbage import no_collection

#: The most bytes of a request.
MOST = 2**17


class _Child(NamedTuple):
    """A forked child: its process id, and the socket for its reports."""

    pid: int
    reports: socket.socket


def main() -> list[str]:
    """Import the libraries, then fork children. Return the module of a child and its job; in the template nothing."""
    die_with_parent()
    job = json.loads(sys.argv[1])
    requests = socket.socket(fileno=os.dup(0))
    unfit = why_not_to_fork(job["libraries"])
    memory = resident()
    requests.send(json.dumps(unfit).encode())
    if not unfit and (request := serve(requests, job["mark"])) is not None:
        if request["own_memory"]:
            take(memory)
        return [request["module"], request["job"]]
    return []


def why_not_to_fork(libraries: Sequence[str]) -> str:
    """Import libraries. Return why this process cannot fork children after that, or an empty string.

    A fork has only the thread that forks: locks that other threads hold would stay locked in it. NumPy's OpenBLAS
    starts threads when it is imported, ends them before every fork, and starts them again when they are needed, in a
    child too. So threads are counted after a first fork. A thread that was joined may still be listed for a moment.
    """
    try:
        with no_collection():
            for library in libraries:
                import_module(library)
        gc.freeze()  # else a search for garbage in a child would write to all objects, and so copy their memory
        if (pid := os.fork()) == 0:
            os._exit(0)
        os.close(os.pidfd_open(pid))  # older systems have none
        os.waitpid(pid, 0)
    except Exception as error:  # a library may raise anything
        return in_a_line(error, most=500)
    until = time.monotonic() + 1
    while (threads := len(list(Path("/proc/self/task").iterdir()))) > 1:
        if time.monotonic() > until:
            return f"{threads} threads run after the import of {', '.join(libraries)}"
        time.sleep(0.01)
    return ""


def serve(requests: socket.socket, mark: str) -> dict[str, Any] | None:
    """Fork a child for each request. Return the request in the child, and None in the template at the end.

    mark: the name of the variable that holds a process's mark.
    """
    selector = selectors.PollSelector()  # unlike epoll, it shares nothing with the children
    selector.register(requests, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is requests:
                message, files, _, _ = socket.recv_fds(requests, MOST, 4)
                if not message:
                    return None
                template = os.getpid()
                if fork(selector, files) == 0:
                    request: dict[str, Any] = json.loads(message)
                    become_child(selector, files, request["environ"], mark, template)
                    return request
            else:
                after_end(selector, key)


def fork(selector: selectors.BaseSelector, files: Sequence[int]) -> int:
    """Fork a child and report its process id, which is returned; 0 in the child.

    files: the descriptors of its request, which are closed in the template. If the system cannot fork, the socket for
    reports is closed without a report, and -1 is returned.
    """
    try:
        pid = os.fork()
    except OSError:
        pid = -1
    if pid == 0:
        return 0
    reports = socket.socket(fileno=files[0])
    for file in files[1:]:
        os.close(file)
    if pid == -1:
        reports.close()
        return -1
    _send(reports, pid)
    selector.register(os.pidfd_open(pid), selectors.EVENT_READ, _Child(pid, reports))
    return pid


def after_end(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    """Report that a child has ended; when its parent has read that and closed the socket, wait for the child."""
    child: _Child = key.data
    selector.unregister(key.fileobj)
    if isinstance(key.fileobj, int):  # the child's pidfd
        os.close(key.fileobj)
        ended = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        _send(child.reports, ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status)
        selector.register(child.reports, selectors.EVENT_READ, child)
    else:
        child.reports.close()
        os.waitpid(child.pid, 0)


def become_child(
    selector: selectors.BaseSelector, files: Sequence[int], environ: dict[str, str], mark: str, template: int
) -> None:
    """Take the streams and the environment of the request, and keep nothing of the template's other children.

    template: the template's process id. The child dies with it, or at once if it has ended already.
    """
    die_with_parent()
    if os.getppid() != template:
        os._exit(1)
    for key in list(selector.get_map().values()):
        if isinstance(key.fileobj, int):
            os.close(key.fileobj)
            key.data.reports.close()
        else:
            cast(socket.socket, key.fileobj).close()
    os.close(files[0])
    for stream, file in enumerate(files[1:]):
        os.dup2(file, stream)
        os.close(file)
    carry(mark, environ.pop(mark))
    os.environ.update(environ)
    if (generators := sys.modules.get("numpy.random")) is not None:
        generators.seed()  # Python's own generator does so itself


def carry(mark: str, value: str) -> None:
    """Change this process's mark, also where other processes see it.

    mark: the name of the variable. value: as long as the present value.

    /proc/PID/environ shows the memory in which the environment was when the process was started, and a fork has a copy
    of it. So the value is written over the old one.
    """
    assert len(value) == len(os.environ[mark]), (value, os.environ[mark])
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    ctypes.memmove(getenv(mark.encode()), value.encode(), len(value))
    os.environ[mark] = value


def _send(reports: socket.socket, number: int) -> None:
    with suppress(OSError):  # the parent waits no more
        reports.send(str(number).encode())


if __name__ == "__main__":
    # `compare.processes.own_packages` reads this and runs the child's module, after the calls of this module have
    # returned. With them below it, a child's calls would be at another depth than those of other processes, and their
    # depth changes their time: Python 3.11 keeps frames in chunks, and a call at the end of one allocates the next.
    GO_ON_AS = main()

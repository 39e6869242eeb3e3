"""Templates: start children of one set of libraries by forking a process that has imported them.

To import torch and transformers takes 5 s of CPU time, and a fork takes milliseconds. A template (the process, see
`compare.processes.template`) serves children that need the same libraries, so no child has libraries that another one
needs. Without a template, such as outside Linux, children are started one by one.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import IO, Any

from compare.processes import own_packages
from compare.processes.environment import environment, pinned
from compare.processes.guardian import mark_of_child
from compare.processes.template import MOST
from compare.processes.tree import MARK

#: How long a template may take to import its libraries, in seconds.
PATIENCE = 600.0


class Forked:
    """A child that a template forked, with what `subprocess.Popen` has of it.

    If the template ends, its children are killed, and count as killed by SIGKILL.
    """

    def __init__(self, reports: socket.socket, stdin: IO[bytes] | None, stdout: IO[bytes] | None) -> None:
        """Wait until the child is forked.

        reports: the socket with its process id and its exit code. stdin, stdout: the parent's ends of its pipes.
        Raises `ConnectionError` if it could not be forked.
        """
        self._reports, self._lock = reports, Lock()
        self.stdin, self.stdout = stdin, stdout
        self.returncode: int | None = None
        if (pid := self._report()) is None:
            raise ConnectionError("the template could not fork")
        self.pid = pid

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None if the child has not ended."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the child and return its exit code, negative for a signal.

        timeout: in seconds; None for no limit. Raises `subprocess.TimeoutExpired` when it has passed.
        """
        with self._lock:  # the report comes once, and a second thread would wait for another
            if self.returncode is None:
                if timeout is not None and not select.select([self._reports], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
                code = self._report()
                self.returncode = -signal.SIGKILL if code is None else code
                self._reports.close()
        return self.returncode

    def _report(self) -> int | None:
        try:
            report = self._reports.recv(64)
        except ConnectionError:
            return None
        return int(report) if report else None


class Template:
    """A template, from the side of its parent. It is started at once, and imports while the parent does other work.

    libraries: the modules that it imports.
    threads: the number of threads for the libraries of its children.
    cpus: the CPUs that its children may use, None for all that this process may use.
    say: takes a line that says why it does not fork, if it does not.

    Create it in a thread that lives as long as the children: Linux ends it together with the thread that created it.
    """

    def __init__(
        self,
        libraries: Sequence[str],
        *,
        threads: int,
        cpus: Collection[int] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.libraries = tuple(libraries)
        #: The number of open contexts that need it.
        self.users = 0
        self._environ = environment(threads)
        self._circumstances = _circumstances(cpus)
        self._say = say
        self._ready: bool | None = None
        self._lock = Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        job = json.dumps({"libraries": self.libraries, "mark": MARK})
        with theirs, pinned(cpus):
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                own_packages.command("compare.processes.template", job),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**self._environ, MARK: mark_of_child()},
            )

    def suits(self, libraries: Sequence[str], environ: Mapping[str, str], cpus: Collection[int] | None) -> bool:
        """Return whether a child of these libraries, with this environment on these CPUs, could be forked here.

        A variable that was set since the template was started is no obstacle, because the child gets it, unless
        Python or the loader reads it when a process starts. One that was changed is: a library may have read it when
        it was imported.
        """
        if self.libraries != tuple(libraries) or self._circumstances != _circumstances(cpus):
            return False
        late = any(name.startswith(("PYTHON", "LD_")) for name in environ.keys() - self._environ.keys())
        return not late and self._environ.items() <= environ.items()

    def ready(self) -> bool:
        """Wait until the libraries are imported. Return whether the template can fork; if not, say why, once."""
        with self._lock:
            if self._ready is None:
                unfit = self._first_answer()
                self._ready = not unfit
                if unfit:
                    self._say(f"processes with {self.libraries[0]} are started one by one: {unfit}")
            return self._ready

    def fork(
        self,
        module: str,
        job: str,
        environ: Mapping[str, str],
        *,
        own_memory: bool,
        stdin: int | None,
        stdout: int | IO[bytes],
        stderr: IO[bytes],
    ) -> Forked:
        """Fork a child that goes on as `python -m module JOB` would. The streams are those of `subprocess.Popen`.

        environ: its whole environment. own_memory: whether it first copies the memory that it would share with the
        template (`compare.processes.fork_memory`). Raises `OSError` if it cannot be forked.
        """
        news = {name: value for name, value in environ.items() if self._environ.get(name) != value}
        asked = {"module": module, "job": job, "environ": news, "own_memory": own_memory}
        request = json.dumps(asked).encode()
        if len(request) > MOST:
            raise OSError(f"a request of {len(request):,} bytes is longer than {MOST:,}")
        with ExitStack() as ours, ExitStack() as theirs:
            reports, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.enter_context(reports)
            theirs.enter_context(other)
            files, pipes = [other.fileno()], []
            for stream, mode in ((stdin, "rb"), (stdout, "wb")):
                file, pipe = _opened(stream, mode, theirs)
                files.append(file)
                pipes.append(None if pipe is None else ours.enter_context(pipe))
            socket.send_fds(self._socket, [request], [*files, stderr.fileno()])
            theirs.close()
            child = Forked(reports, *pipes)
            ours.pop_all()
        return child

    def end(self) -> None:
        """End the template, and with it the children that it has left."""
        self._process.kill()
        self._process.wait()
        self._socket.close()

    def _first_answer(self) -> str:
        if not select.select([self._socket], [], [], PATIENCE)[0]:
            return f"they were not imported within {PATIENCE:.0f} s"
        try:
            answer = self._socket.recv(4096)
        except ConnectionError:
            answer = b""
        return str(json.loads(answer)) if answer else "the process that imports them has ended"


def _circumstances(cpus: Collection[int] | None) -> tuple[Any, ...]:
    """Return what a template and its children must have in common, apart from variables."""
    return None if cpus is None else frozenset(cpus), Path.cwd(), os.getpid()


def _opened(stream: int | IO[bytes] | None, mode: str, theirs: ExitStack) -> tuple[int, IO[bytes] | None]:
    """Return the descriptor of a child's stream, and the parent's end if it is a pipe.

    mode: how the child uses it. theirs: closes what only the child needs.
    """
    if stream == subprocess.PIPE:
        read, write = os.pipe()
        file, own = (read, os.fdopen(write, "wb")) if mode == "rb" else (write, os.fdopen(read, "rb"))
        theirs.callback(os.close, file)
        return file, own
    if stream == subprocess.DEVNULL:
        return theirs.enter_context(Path(os.devnull).open(mode)).fileno(), None
    assert stream is not None and not isinstance(stream, int)
    return stream.fileno(), None


#: The templates of this process.
_templates: list[Template] = []


@contextmanager
def template(
    libraries: Sequence[str],
    *,
    threads: int,
    cpus: Collection[int] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Keep a template while the context is open; for its arguments see `Template`.

    A template that is there already is used too, and lives until no context needs it. Nothing is done without
    libraries, or outside Linux.
    """
    if not libraries or sys.platform != "linux":
        yield
        return
    found = find(libraries, environment(threads), cpus)
    if found is None:
        found = Template(libraries, threads=threads, cpus=cpus, say=say)
        _templates.append(found)
    found.users += 1
    try:
        yield
    finally:
        found.users -= 1
        if not found.users:
            _templates.remove(found)
            found.end()


def find(libraries: Sequence[str], environ: Mapping[str, str], cpus: Collection[int] | None) -> Template | None:
    """Return the newest template that suits a child; None if there is none (`Template.suits`)."""
    return next((each for each in reversed(_templates) if each.suits(libraries, environ, cpus)), None)

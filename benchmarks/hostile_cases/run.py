"""Run the command of a case in a process of its own, and watch its memory and its time."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import psutil

from benchmarks.hostile_cases.case import Case
from benchmarks.hostile_cases.sandbox import MARK, Sandbox, changes, sandbox
from benchmarks.hostile_cases.stock import Stock

#: Seconds between two looks at the processes.
_LOOK = 0.1

#: Seconds in which processes may end that outlive the command.
_GRACE = 5.0

#: The most bytes of output.
_MOST_OUTPUT = 2**26

#: Rows and columns of the terminal.
_SIZE = (24, 100)


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    code: the exit code, negative for a signal; None if the command was stopped.
    stdout, stderr: what it wrote. With a terminal, stdout is both.
    seconds: how long it took. bytes: the most memory of all its processes at once.
    stopped: why it was stopped; empty if it ended by itself.
    outside: what it changed that is not its own. left: the processes that it left.
    wrong: what the check of the case said.
    """

    code: int | None
    stdout: bytes
    stderr: bytes
    seconds: float = 0.0
    bytes: int = 0
    stopped: str = ""
    outside: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    wrong: str = ""


def command_line(command: tuple[str | bytes, ...]) -> list[str | bytes]:
    """Return the arguments of a process.

    command: its first word is "compare" or "export", which take arguments, or "python" or "bash", which take a program.

    >>> command_line(("bash", "exit 3"))
    ['bash', '-c', 'exit 3']
    """
    program, *rest = command
    starts: dict[str | bytes, list[str | bytes]] = {
        "compare": [sys.executable, "-m", "compare"],
        "export": [sys.executable, "-m", "export"],
        "python": [sys.executable, "-c"],
        "bash": ["bash", "-c"],
    }
    return [*starts[program], *rest]


def run(case: Case, folder: Path, stock: Stock) -> Outcome:
    """Run a case in a new folder, which is removed afterwards."""
    with sandbox(case, folder, stock) as place:
        before = place.state(case)
        code, stdout, stderr, watch = _run(case, place)
        return Outcome(
            code,
            stdout,
            stderr,
            seconds=watch.seconds,
            bytes=watch.most,
            stopped=watch.stopped,
            outside=changes(before, place.state(case)),
            left=_end_what_is_left(place),
            wrong=case.check(place.work),
        )


def _run(case: Case, place: Sandbox) -> tuple[int | None, bytes, bytes, "_Watch"]:
    environment = place.environment(case)
    with ExitStack() as files:
        if case.terminal:
            terminal = _Terminal()
            files.callback(terminal.close)
            stdout = stderr = terminal.inner
        else:
            stdout, stderr = (
                files.enter_context((place.folder / name).open("wb")).fileno() for name in ("stdout", "stderr")
            )
        process = subprocess.Popen(
            command_line(case.command),
            cwd=place.work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        watch = _Watch(case, place)
        code = watch.until_end(process)
        if case.terminal:
            return code, terminal.close(), b"", watch
    return code, _start(place.folder / "stdout"), _start(place.folder / "stderr"), watch


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_OUTPUT)


class _Watch:
    """Waits for a process, and stops it if it takes too long, or too much memory or disk."""

    def __init__(self, case: Case, place: Sandbox) -> None:
        self._case, self._place = case, place
        self.most, self.seconds, self.stopped = 0, 0.0, ""

    def until_end(self, process: "subprocess.Popen[bytes]") -> int | None:
        """Return the exit code of the process; None if it was stopped."""
        began = time.monotonic()
        while (code := process.poll()) is None and not self.stopped:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LOOK)
            tree = _tree(process.pid)
            self.most = max(self.most, _memory(tree, self._most))
            self.seconds = time.monotonic() - began
            self.stopped = self._why()
            if self.stopped:
                for each in tree:
                    with suppress(psutil.Error):
                        each.kill()
                process.wait()
        return code

    @property
    def _most(self) -> int:
        return int(self._case.gigabytes * 1e9)

    def _why(self) -> str:
        if self.seconds > self._case.seconds:
            return f"it took more than {self._case.seconds:g} s"
        if self.most > self._most:
            return f"it took more than {self._case.gigabytes:g} GB of memory"
        files = [self._place.folder / name for name in ("stdout", "stderr")]
        if any(path.is_file() and path.stat().st_size > _MOST_OUTPUT for path in files):
            return f"it wrote more than {_MOST_OUTPUT:,} bytes"
        return ""


def _tree(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    return []


def _memory(tree: list[psutil.Process], most: int) -> int:
    """Return the memory of processes in bytes, at least as much as they have; exactly if that is above `most`."""
    found = 0
    for each in tree:
        with suppress(psutil.Error):
            found += each.memory_info().rss
    if found <= most:
        return found
    shared = 0
    for each in tree:  # pages that several processes share count once
        with suppress(psutil.Error):
            shared += each.memory_full_info().pss
    return shared


def _end_what_is_left(place: Sandbox) -> list[str]:
    """Kill the processes that were started in a sandbox and have not ended, and return their names."""
    until = time.monotonic() + _GRACE
    while (left := _left(place)) and time.monotonic() < until:
        time.sleep(_LOOK)
    names = []
    for each in left:
        with suppress(psutil.Error):
            names.append(" ".join(each.cmdline()) or each.name())
            each.kill()
    return names


def _left(place: Sandbox) -> list[psutil.Process]:
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            if each.pid != os.getpid() and each.environ().get(MARK) == str(place.folder):
                found.append(each)
    return found


class _Terminal:
    """A terminal whose output is kept."""

    def __init__(self) -> None:
        self._outer, self.inner = pty.openpty()
        fcntl.ioctl(self.inner, termios.TIOCSWINSZ, struct.pack("HHHH", *_SIZE, 0, 0))
        self._read, self._open = b"", True
        self._reader = Thread(target=self._keep, daemon=True)
        self._reader.start()

    def close(self) -> bytes:
        """Close it, and return what was written to it."""
        if self._open:
            self._open = False
            os.close(self.inner)
            self._reader.join(_GRACE)
            os.close(self._outer)
        return self._read

    def _keep(self) -> None:
        with suppress(OSError):  # the end of a terminal is an error on Linux
            while block := os.read(self._outer, 2**16):
                self._read += block

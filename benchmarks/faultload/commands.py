"""Run commands under faults, and see what they leave: processes, temporary files, lines on stderr."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from compare.lazy import TORCH_LIBRARIES
from compare.processes import tree
from compare.processes.guardian import mark_of_child
from compare.processes.templates import Forked, Template

ROOT = Path(__file__).parents[2]

#: The folder with the module that ends a process at a given moment.
SITE = Path(__file__).with_name("site")

#: The environment variable by which every process of a run is found. Its descendants inherit it.
MARK = "FAULTLOAD"

#: How long the processes of a run may outlive it, in seconds: a killed run ends them through its guardian.
GRACE = 10.0


@dataclass(frozen=True)
class Ended:
    """A run that has ended.

    code: its exit code, negative for a signal. processes: the command lines of those that it left. files: the
    temporary files that it left. seconds: how long it took.
    """

    code: int
    stdout: str
    stderr: str
    processes: list[str]
    files: list[str]
    seconds: float

    @property
    def error(self) -> str:
        """The last line of stderr."""
        return next(reversed(self.stderr.splitlines()), "")

    def left(self) -> list[str]:
        """Return what it left, in words; empty if it left nothing."""
        return [f"left {name}" for name in (*self.processes, *self.files)]

    def problems(self, codes: Collection[int], *, said: str = "") -> list[str]:
        """Return what is wrong with how it ended.

        codes: the exit codes that are right. said: what its error has to contain. With another code than 0 and 1, the
        last line is to be an error, and there is never to be a traceback.
        """
        found = self.left()
        if self.code not in codes:
            found.append(f"exit code {self.code}, {self.error[:300]!r}")
        if "Traceback" in self.stderr:
            found.append("a traceback")
        refused = self.code not in (0, 1)
        if refused and (not self.error.startswith("error: ") or self.stderr.count("error: ") != 1):
            found.append(f"no line that says why: {self.error[:300]!r}")
        if said and said not in self.stderr:
            found.append(f"its error does not say {said!r}: {self.error[:300]!r}")
        return found


class Running:
    """A command that runs.

    arguments: after `python`. cache: the folder of its cache. more: further environment variables; an empty one is
    removed. moment: when it ends itself, as in `site/sitecustomize.py`. template: forks the process, see `forking`;
    the arguments are then a module and one argument.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        cache: Path,
        *,
        more: Mapping[str, str] | None = None,
        moment: str = "",
        template: Template | None = None,
        **options: Any,
    ) -> None:
        self.mark = uuid.uuid4().hex
        self._folder = tempfile.TemporaryDirectory(prefix="faultload-")
        self.temporary = Path(self._folder.name) / "tmp"
        self.temporary.mkdir()
        self.lines = Path(self._folder.name) / "stderr"
        self._out = Path(self._folder.name) / "stdout"
        self._began = time.monotonic()
        environ = self.environment(cache, more or {}, moment)
        self.process: subprocess.Popen[bytes] | Forked
        with self._out.open("wb") as out, self.lines.open("wb") as lines:
            pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": lines}
            if template is None:
                command = [sys.executable, *map(str, arguments)]
                self.process = subprocess.Popen(command, cwd=ROOT, env=environ, **pipes, **options)
            else:
                _, module, argument = map(str, arguments)
                environ[tree.MARK] = mark_of_child()
                self.process = template.fork(module, argument, environ, own_memory=False, **pipes)

    def environment(self, cache: Path, more: Mapping[str, str], moment: str) -> dict[str, str]:
        """Return the environment of the command."""
        own = {"ONNX_ATTENTION_COMPARE_CACHE": str(cache), "TMPDIR": str(self.temporary), MARK: self.mark}
        path = os.pathsep.join(filter(None, (str(SITE), more.get("PYTHONPATH"), os.environ.get("PYTHONPATH"))))
        found = {**os.environ, **more, **own, "PYTHONPATH": path}
        return found | ({"FAULTLOAD_MOMENT": moment} if moment else {})

    def stderr(self) -> str:
        """Return what it has written to stderr so far."""
        return self.lines.read_text(errors="replace")

    def says(self, text: str, timeout: float = 120.0) -> bool:
        """Wait until a text is on its stderr. Return whether it came before the process ended."""
        return waits_for(lambda: text in self.stderr(), timeout, or_until=lambda: self.process.poll() is not None)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, unless it has ended."""
        if self.process.poll() is None:
            os.kill(self.process.pid, number)

    def ended(self, timeout: float = 300.0) -> Ended:
        """Wait until it ends, and until its processes have had time to. One that hangs is killed, with code -999."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.process.wait()
            code = -999
        seconds = time.monotonic() - self._began
        waits_for(lambda: not marked(self.mark), GRACE)
        left = marked(self.mark)
        names = [shlex.join(_command_line(process))[:120] for process in left]
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        files = [str(path.relative_to(self.temporary)) for path in sorted(self.temporary.rglob("*"))]
        found = Ended(code, self._out.read_text(errors="replace"), self.stderr(), names, files, seconds)
        self._folder.cleanup()
        return found


def run(arguments: Sequence[str | Path], cache: Path, *, timeout: float = 300.0, **options: Any) -> Ended:
    """Run a command to its end. options: those of `Running`."""
    return Running(arguments, cache, **options).ended(timeout)


def export(*arguments: str | Path) -> list[str | Path]:
    """Return the arguments of `python` for an export."""
    return ["-m", "export", *arguments]


def compare(*arguments: str | Path) -> list[str | Path]:
    """Return the arguments of `python` for a comparison, or for another command."""
    return ["-m", "compare", *arguments]


def waits_for(condition: Callable[[], bool], timeout: float, *, or_until: Callable[[], bool] = lambda: False) -> bool:
    """Return whether a condition becomes true in time. or_until: ends the wait before."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if condition():
            return True
        if or_until():
            return condition()
        time.sleep(0.02)
    return False


def marked(mark: str) -> list[psutil.Process]:
    """Return the living processes of a run."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _command_line(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return [f"process {process.pid}"]


@contextmanager
def forking() -> Iterator[Template]:
    """Yield a template that has imported torch and transformers, and forks commands that then need not import them."""
    path = os.pathsep.join(filter(None, (str(SITE), os.environ.get("PYTHONPATH"))))
    before = dict(os.environ)
    os.environ |= {MARK: "template", "PYTHONPATH": path}
    template = Template(TORCH_LIBRARIES, threads=1)
    try:
        os.environ.clear()
        os.environ |= before
        assert template.ready()
        yield template
    finally:
        template.end()


@contextmanager
def workspace() -> Iterator[Path]:
    """Yield an empty folder, and remove it on exit."""
    with tempfile.TemporaryDirectory(prefix="faultload-") as folder:
        yield Path(folder)


def tiny_folder(folder: Path, **sizes: int) -> Path:
    """Save a tiny GPT-2 in a folder, without a tokenizer, and return the folder. sizes: as in `tiny_model`."""
    from tests.helpers.tiny import tiny_model

    tiny_model("gpt2", **sizes).save_pretrained(folder)
    return folder

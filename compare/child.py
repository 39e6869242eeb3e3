"""Child processes: a job goes in as JSON, files come out, and whatever happens to the child is said in a line.

Every runtime runs in a process of its own, so that none sees the libraries, threads or memory of another, and one that
crashes or hangs takes nothing with it.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


class ChildFailed(Exception):
    """What became of a child that did not do its job: the signal, the timeout or its own last words."""


#: The children of `run_child` that are at work, in whichever thread.
_at_work: set[subprocess.Popen[bytes]] = set()


def end_children() -> None:
    """Kill what `run_child` is waiting for: when the work has no use any more, nobody waits for its end."""
    for process in list(_at_work):
        process.kill()


def run_child(module: str, job: Mapping[str, Any], *, threads: int, log: Path, timeout: float) -> None:
    """Run `python -m module JOB` to its end; `timeout` in seconds. Raises `ChildFailed`.

    What it prints goes to `log`, which is removed if all is well.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(module, job), stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment(threads)
        )
        _at_work.add(process)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ChildFailed(f"no answer within {timeout:.0f} s") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            _at_work.discard(process)
    if code != 0:
        raise ChildFailed(last_words(code, log))
    log.unlink()


class Dialogue:
    """A child that answers lines with lines of JSON until it is ended; what it prints goes to `log`.

    Make it in the main thread: Linux ends a child with the thread that made it.
    """

    def __init__(self, module: str, job: Mapping[str, Any], *, threads: int, log: Path, timeout: float) -> None:
        self._log, self._timeout = log, timeout
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                command(module, job),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(threads),
            )

    def ask(self, line: str) -> dict[str, Any]:
        """The answer to a line. Raises `ChildFailed` where the child is gone, or gives none within its time."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(f"{line}\n".encode())
            self.process.stdin.flush()
            ready, _, _ = select.select([self.process.stdout], [], [], self._timeout)
            if not ready:
                raise ChildFailed(f"no answer to {line!r} within {self._timeout:.0f} s")
            if answer := self.process.stdout.readline():
                found: dict[str, Any] = json.loads(answer)
                return found
            raise ChildFailed(last_words(self.process.wait(timeout=10), self._log))
        except (BrokenPipeError, subprocess.TimeoutExpired):
            raise ChildFailed(last_words(self.process.poll(), self._log)) from None

    def end(self, *, keep_log: bool = False) -> None:
        """Kill the process: a suspended one cannot be asked to leave."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        if not keep_log:
            self._log.unlink(missing_ok=True)


def questions() -> Iterator[tuple[str, Callable[[Mapping[str, Any]], None]]]:
    """The child's side of a `Dialogue`: each line, without its end, and the function that answers it."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to the log, not between the answers
    for line in sys.stdin:
        yield line.strip(), lambda answer: print(json.dumps(answer), file=answers)


def command(module: str, job: Mapping[str, Any]) -> list[str]:
    """How a child is started: `main_of_child` on its side reads the job again."""
    return [sys.executable, "-m", module, json.dumps(job, default=str)]


def environment(threads: int) -> dict[str, str]:
    """The environment of every child: the same number of threads for all libraries, and never the hub."""
    pools = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    return {**os.environ, **pools, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "PYTHONUNBUFFERED": "1"}


def main_of_child(work: Callable[[dict[str, Any]], None]) -> None:
    """The child's side: does the job that stands on the command line; an exception becomes its last words, exit 1."""
    die_with_parent()
    try:
        work(json.loads(sys.argv[1]))
    except Exception as error:
        import traceback

        traceback.print_exc()
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends, however that ends: a suspended process cannot notice it."""
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG, prctl(2)
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def last_words(code: int | None, log: Path) -> str:
    """Why a child ended: the signal that killed it, else the last line it wrote."""
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:500] if lines else f"ended with exit code {code} and not a word"

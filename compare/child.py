"""Child processes: a job goes in as JSON, files come out, and whatever happens to the child is said in a line.

Every runtime runs in a process of its own, so that none sees the libraries, threads or memory of another, and one that
crashes or hangs takes nothing with it.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
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

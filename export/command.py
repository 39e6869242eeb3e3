"""Functions that start and end every command: streams, exit code, and errors as one line on stderr."""

import _thread
import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from export.errors import BadInput, CannotRun, ComparisonError
from export.printing import print_line
from export.telemetry import turn_off
from export.terminal import guarded

#: The exit codes of an unexpected error, and of a stdout that cannot be written (EX_SOFTWARE and EX_IOERR, sysexits.h).
UNEXPECTED, NOT_WRITTEN = 70, 74

#: Why files cannot be written, through no fault of the command; any write may meet it.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)

#: The most characters of an error's message. What is left out of a longer one is in the middle, because it ends with
#: how to fix it.
_LONGEST = 4000

#: Packages whose SystemExit ends a command that has done its work, such as --help.
_PARSERS = ("argparse", "typer")


def finish(command: Callable[[], int | None]) -> NoReturn:
    """Run a command and exit with the code that it returns.

    The errors of `export.errors` exit with 2 or 3, an interruption with 130, SIGTERM with 143, SIGHUP with 129, and
    every other error with 70. Each prints one line on stderr. The code is 74 if stdout cannot be written. A reader of
    stdout that leaves, as in `| head`, does not change the code.
    """
    turn_off()
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its warnings are not about the user's input
    with guarded() as (stdout, _), _signals() as received, _hooks():
        try:
            code = _ended(command, received)
            stdout.flush()
        except KeyboardInterrupt:  # another one, before the line was printed
            code = _interrupted(received)
        if stdout.lost is not None and code in (0, 1):
            code = _fail(f"stdout cannot be written: {stdout.lost}", NOT_WRITTEN)
    sys.exit(code)


def _ended(command: Callable[[], int | None], received: list[int]) -> int:
    """Run a command, print the line of its error if it has one, and return the exit code."""
    try:
        return command() or 0
    except ComparisonError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _interrupted(received)
    except SystemExit as end:
        if _of_parser(end):
            return end.code if isinstance(end.code, int) else 0
        return _unexpected(end)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return _fail(_no_room(error), CannotRun.exit_code)
        if limit := _limit_reached(error):
            return _fail(f"the system allows no more {limit} ({error}); raise the limit", CannotRun.exit_code)
        if isinstance(error, FileNotFoundError) and not _has_working_folder():
            return _fail("the working folder was removed; change into another one", BadInput.exit_code)
        return _unexpected(error)


def _interrupted(received: list[int]) -> int:
    """Print the line of an interruption, and return its exit code. received: the signals that ended the command."""
    if not received:
        return _fail("interrupted", 128 + signal.SIGINT)
    return _fail(f"ended by {signal.Signals(received[0]).name}", 128 + received[0])


def _of_parser(end: SystemExit) -> bool:
    """Whether a SystemExit was raised by a parser of arguments. Any other one is a library's, which must not end us."""
    traceback = end.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    module = traceback.tb_frame.f_globals.get("__name__", "") if traceback else ""
    return module.partition(".")[0] in _PARSERS


def _no_room(error: OSError) -> str:
    what = "a file" if error.filename is None else str(error.filename)
    return f"{what} cannot be written: {error.strerror}; make room, or name another folder with --cache-dir or --out"


def _limit_reached(error: BaseException) -> str:
    """Return the limit of the system that an error reached, with the command that shows it; empty if it is another."""
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.EMFILE, errno.ENFILE):
        return "open files than ulimit -n says"
    # Python has no error of its own for a thread that could not be started.
    no_thread = isinstance(error, RuntimeError) and "can't start new thread" in str(error)
    return "threads or processes than ulimit -u says" if number == errno.EAGAIN or no_thread else ""


def _has_working_folder() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _unexpected(error: BaseException) -> int:
    from export.unexpected import described

    return _fail(f"{described(error)}; please report it with the command", UNEXPECTED)


def _fail(message: str, code: int) -> int:
    message = " ".join(message.split())
    if len(message) > _LONGEST:
        message = f"{message[: _LONGEST * 3 // 4]} … {message[-_LONGEST // 4 :]}"
    print_line(f"error: {message}", sys.stderr)
    return code


@contextmanager
def _signals() -> Iterator[list[int]]:
    """In the `with` block, SIGTERM and SIGHUP interrupt the command as Ctrl-C does. Yields the list of those received.

    Of several within a second, as a closed terminal sends, only the first one interrupts. Signals that are ignored, as
    under nohup, stay so. After the block they end the process at once, as does Ctrl-C, because nothing is left to be
    cleaned up.
    """
    received: list[int] = []
    last = float("-inf")

    def interrupt(number: int, _: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        received.append(number)
        if last - before > 1:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    names = ("SIGTERM", "SIGHUP")
    taken = [number for name in names if (number := getattr(signal, name, None)) and _is_default(number)]
    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield received
    finally:
        for number in (*taken, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)


def _is_default(number: int) -> bool:
    return signal.getsignal(number) is signal.SIG_DFL


@contextmanager
def _hooks() -> Iterator[None]:
    """In the `with` block, errors that Python cannot raise, as in a thread, are one line, not a traceback."""

    def report(error: BaseException | None) -> None:
        from export.unexpected import described

        if error is not None:
            print_line(f"note: {described(error)}", sys.stderr)

    def in_thread(hooked: threading.ExceptHookArgs) -> None:
        report(hooked.exc_value)

    def not_raised(hooked: Any) -> None:
        if isinstance(hooked.exc_value, KeyboardInterrupt):  # it came while an object was freed, and would be lost
            threading.Timer(0.01, _thread.interrupt_main).start()  # here, it would be lost again
            return
        report(hooked.exc_value)

    before = threading.excepthook, sys.unraisablehook
    threading.excepthook, sys.unraisablehook = in_thread, not_raised
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = before

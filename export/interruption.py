"""SIGTERM and SIGHUP interrupt a command as Ctrl-C does, so that it ends its processes and removes what it has begun.

The default action of these signals ends a process at once, which leaves its temporary files.
"""

import signal
import threading
from types import FrameType

#: The request to end, and the end of the terminal. Python itself turns SIGINT, of Ctrl-C, into `KeyboardInterrupt`.
_SIGNALS = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]

_received = signal.SIGINT


def catch() -> None:
    """Raise `KeyboardInterrupt` in the main thread on these signals, except on those that are ignored, as by nohup."""
    if threading.current_thread() is not threading.main_thread():  # Python allows it in the main thread alone
        return
    for number in _SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def exit_code() -> int:
    """Return the exit code of an interrupted command: 128 and the signal's number, so 130 for Ctrl-C."""
    return 128 + _received


def words() -> str:
    """Say what interrupted the command."""
    return "interrupted" if _received == signal.SIGINT else f"ended by {signal.Signals(_received).name}"


def _interrupt(number: int, _: FrameType | None) -> None:
    global _received
    _received = signal.Signals(number)
    for each in _SIGNALS:  # a shell sends more than one, and another one would interrupt what ends the processes
        signal.signal(each, _ignore)  # and not SIG_IGN, which processes that are started now would inherit
    raise KeyboardInterrupt


def _ignore(*_: object) -> None:
    """Do nothing."""

"""Ends or suspends its own process at one moment. Python imports this file if its folder is on PYTHONPATH.

FAULTLOAD_MOMENT=SIGNAL|EVENT|NAME|MILLISECONDS: the signal, and how long after the event it comes. The event is the
first call of `open` for writing, or of `os.rename`, on a path that contains the name; or `half`, which writes half of
the text of a file of that name and sends the signal then.
"""

import os
import pathlib
import signal
import sys
import threading
from typing import Any

_done = False


def _moment() -> list[str]:
    return os.environ.get("FAULTLOAD_MOMENT", "").split("|")


def _send(name: str, milliseconds: float) -> None:
    global _done
    _done = True
    number = signal.Signals[name]
    if milliseconds:
        timer = threading.Timer(milliseconds / 1000, os.kill, (os.getpid(), number))
        timer.daemon = True
        timer.start()
    else:
        os.kill(os.getpid(), number)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _done or event not in ("open", "os.rename"):
        return
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
        return
    wanted = _moment()
    if len(wanted) == 4 and wanted[1] == event and wanted[2] in str(arguments[0]):
        _send(wanted[0], float(wanted[3]))


_write_text = pathlib.Path.write_text


def _write_half(path: pathlib.Path, data: str, *more: Any, **options: Any) -> int:
    wanted = _moment()
    if len(wanted) == 4 and wanted[1] == "half" and wanted[2] == path.name:
        _write_text(path, data[: len(data) // 2], *more, **options)
        _send(wanted[0], 0)
    return _write_text(path, data, *more, **options)


if "FAULTLOAD" in os.environ:
    sys.addaudithook(_hook)
    pathlib.Path.write_text = _write_half  # type: ignore[method-assign,assignment]

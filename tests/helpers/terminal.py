"""A pseudo-terminal for commands, and what its screen shows in the end."""

import os
import re
import subprocess
import sys
import termios
from collections.abc import Callable

#: What rich and tqdm write besides text: moves of the cursor, erasures, styles, and modes such as a hidden cursor.
_SEQUENCE = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])")


def drawn_by(
    code: str, meanwhile: Callable[[subprocess.Popen[bytes], str], object] = lambda *_: None, **environment: str
) -> tuple[str, int]:
    """Run Python code with stderr on a terminal of 80 columns. Return what it wrote to it, and its exit code.

    meanwhile: called with the process and the text so far, after each piece of output.
    """
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=theirs,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", **environment},
    )
    os.close(theirs)
    drawn = b""
    while chunk := _read(ours):
        drawn += chunk
        meanwhile(process, drawn.decode(errors="replace"))
    os.close(ours)
    return drawn.decode(), process.wait()


def screen(drawn: str) -> list[str]:
    """Return the lines of the screen after this output, without empty ones. It knows the sequences that rich writes."""
    lines, row, column, place = [""], 0, 0, 0
    while place < len(drawn):
        if found := _SEQUENCE.match(drawn, place):
            count, letter = found.groups()
            if letter == "A":
                row = max(0, row - int(count or 1))
            elif letter == "K":
                lines[row] = ""
            place = found.end()
            continue
        character = drawn[place]
        place += 1
        if character == "\r":
            column = 0
        elif character == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        else:
            lines[row] = lines[row][:column].ljust(column) + character + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines if line.strip()]


def cursor_shown(drawn: str) -> bool:
    """Whether the cursor is visible after this output."""
    return drawn.rfind("\x1b[?25h") >= drawn.rfind("\x1b[?25l")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # raised on Linux if the other end is closed
        return b""

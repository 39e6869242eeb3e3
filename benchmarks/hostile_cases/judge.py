"""Judge what came of a case: what is wrong with it, in words."""

import re
import unicodedata
from collections.abc import Iterator

from benchmarks.hostile_cases.case import Case
from benchmarks.hostile_cases.run import Outcome

#: The exit code of an error that no part of the project expected.
UNEXPECTED = 70

#: The sequences that a display on a terminal needs: colours, and movements of the cursor.
_DISPLAY = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

#: Characters that change the order in which a terminal shows others, or that end a line.
_ORDERING = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), "\u2028", "\u2029"}

#: How many characters of an output a finding quotes.
_QUOTED = 160


def faults(case: Case, outcome: Outcome) -> Iterator[str]:
    """Yield what is wrong with an outcome; nothing if the case was well met."""
    said = {name: _text(case, getattr(outcome, name)) for name in ("stdout", "stderr")}
    if outcome.stopped:
        yield outcome.stopped
    elif outcome.code not in case.codes:
        yield f"exit code {outcome.code}, not {' or '.join(map(str, case.codes))}: {_end(said)}"
    elif outcome.code == UNEXPECTED:
        yield f"it ended as unexpected: {_end(said)}"
    if any("Traceback (most recent call last)" in text for text in said.values()):
        yield f"a traceback: {_end(said)}"
    errors = [line for line in said["stderr"].split("\n") if line.startswith("error: ")]
    expected = _error_lines(case, outcome)
    if not outcome.stopped and expected not in (None, len(errors)):
        yield f"{len(errors)} error lines, not {expected}"
    if case.says and not any(case.says in text for text in (*errors, said["stdout"])):
        yield f"it does not say {case.says!r}: {_end(said)}"
    for name, text in said.items():
        yield from (f"{name} has {part!r}" for part in case.lacks if part in text)
        if found := _control_characters(text, terminal=case.terminal):
            yield f"{name} has control characters: {', '.join(found)}"
        if max(text, default="") >= "\udc80" and any("\udc80" <= c <= "\udcff" for c in text):
            yield f"{name} has bytes that are no text"
    yield from outcome.outside
    yield from (f"a process is left: {name[:_QUOTED]}" for name in outcome.left)
    if outcome.wrong:
        yield outcome.wrong


def _error_lines(case: Case, outcome: Outcome) -> int | None:
    """Return how many error lines there must be; None if any number is right.

    A comparison in which a named runtime fails exits with 3, and says so in the report on stdout.
    """
    if case.lines is not None:
        return case.lines
    if case.terminal:
        return None
    return int(outcome.code in (2, UNEXPECTED) or (outcome.code == 3 and not outcome.stdout.strip()))


def _text(case: Case, output: bytes) -> str:
    """Return an output as text. Bytes that are none are lone surrogates."""
    named = case.environment.get("PYTHONIOENCODING")
    encoding = named.partition(":")[0] if isinstance(named, str) else ""
    return output.decode("latin-1" if encoding == "latin-1" else "utf-8", "surrogateescape")


def _control_characters(text: str, *, terminal: bool) -> list[str]:
    """Return the control characters of an output, each once, as code points.

    >>> _control_characters("a\\x1b[31m\\n", terminal=False), _control_characters("a\\x1b[31m\\n", terminal=True)
    (['U+001B'], [])
    """
    if terminal:
        text = _DISPLAY.sub("", text).replace("\r", "")
    found = {c for c in text if (unicodedata.category(c) == "Cc" and c != "\n") or c in _ORDERING}
    return sorted(f"U+{ord(c):04X}" for c in found)


def _end(said: dict[str, str]) -> str:
    """Return the last line that was written, as a part of a finding."""
    lines = (said["stderr"] or said["stdout"]).split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "no output")
    return ascii(last[-_QUOTED:])[1:-1]

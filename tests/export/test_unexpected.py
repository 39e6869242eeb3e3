"""Tests of the line and the file that an unexpected error leaves."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from export.command import finish
from tests.helpers.commands import fails_with, kept_signals


def recursion(depth: int = 0) -> int:
    return recursion(depth + 1)


class Unspeakable(Exception):
    """An error whose message cannot be had."""

    def __str__(self) -> str:
        raise ValueError


UNEXPECTED = r"error: unexpected: {}; the traceback is in (\S+); please report it with the command\n"


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (
            fails_with(ValueError("two\nlines \x1b]0;title\x07\udc80")),
            r"ValueError: two lines \\x1b\]0;title\\x07\\udc80",
        ),
        (fails_with(ValueError("x" * 10_000)), r"ValueError: x{500}"),
        (fails_with(OSError(5, "Input/output error")), r"OSError: \[Errno 5\] Input/output error"),
        (fails_with(MemoryError()), "MemoryError: no message"),
        (fails_with(SystemExit(3)), "SystemExit: 3"),
        (fails_with(SystemExit()), "SystemExit: no message"),
        (fails_with(Unspeakable()), "Unspeakable: no message"),
        (recursion, "RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_what_nobody_expected_is_one_line_and_a_file(
    work: Callable[[], int | None], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("ONNX_ATTENTION_COMPARE_CACHE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["/a/folder/program", "--text", "it's \x1b[2J"])
    with kept_signals(), pytest.raises(SystemExit) as end:
        finish(work)
    assert end.value.code == 70
    line = re.fullmatch(UNEXPECTED.format(said), capsys.readouterr().err)
    assert line
    file = Path(line[1])
    assert file.parent == tmp_path / "tracebacks"
    written = file.read_text()
    assert written.startswith("command: program --text 'it'\"'\"'s \\x1b[2J'\nsystem: ")
    assert "packages: onnx-attention-compare " in written
    assert "\nTraceback (most recent call last):\n" in written
    assert written.replace("\n", "").isprintable()


def test_without_a_cache_the_file_is_a_temporary_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    (tmp_path / "cache").touch()
    monkeypatch.setenv("ONNX_ATTENTION_COMPARE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with kept_signals(), pytest.raises(SystemExit):
        finish(fails_with(ValueError("why")))
    said = capsys.readouterr().err
    assert re.search(rf"the traceback is in {re.escape(str(tmp_path))}/[\w-]+\.txt;", said)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with kept_signals(), pytest.raises(SystemExit):
        finish(fails_with(ValueError("why")))
    said = capsys.readouterr().err
    assert re.search(r"ValueError: why; it was raised in \S+commands\.py:\d+, and no file could be written", said)
    assert said.count("\n") == 1


def test_errors_of_threads_and_of_freed_objects_are_lines(tmp_path: Path) -> None:
    code = """
import threading
from export.command import finish
class Freed:
    def __del__(self):
        raise ValueError("freed")
def fails():
    raise ValueError("in a thread")
def work():
    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    Freed()
finish(work)
"""
    environment = {**os.environ, "ONNX_ATTENTION_COMPARE_CACHE": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    note = "note: unexpected: ValueError: {}; the traceback is in "
    lines = run.stderr.splitlines()
    assert [line.partition(str(tmp_path))[0] for line in lines] == [note.format("in a thread"), note.format("freed")]
    assert run.returncode == 0

"""Tests of how a command ends: after an error, a limit of the system, or a signal."""

import argparse
import errno
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from export.command import finish
from export.errors import CannotRun
from tests.helpers.commands import fails_with, kept_signals


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (CannotRun("two\nlines"), 3, "error: two lines\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (
            OSError(28, "No space left on device", "a\x07"),
            3,
            "error: a\\x07 cannot be written: No space left on device; make room, or name another folder with "
            "--cache-dir or --out\n",
        ),
    ],
)
def test_how_a_command_ends(raised: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with kept_signals(), pytest.raises(SystemExit) as end:
        finish(fails_with(raised))
    assert end.value.code == code
    assert capsys.readouterr().err == line


def test_a_working_folder_that_was_removed_is_no_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    folder = tmp_path / "removed"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with kept_signals(), pytest.raises(SystemExit) as end:
        finish(lambda: len(Path.cwd().parts))
    assert (end.value.code, capsys.readouterr().err) == (
        2, "error: the working folder was removed; change into another one\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "limit"),
    [
        (
            OSError(errno.EMFILE, "Too many open files"),
            "open files than ulimit -n says ([Errno 24] Too many open files)",
        ),
        (BlockingIOError(errno.EAGAIN, "no"), "threads or processes than ulimit -u says ([Errno 11] no)"),
        (RuntimeError("can't start new thread"), "threads or processes than ulimit -u says (can't start new thread)"),
    ],
)
def test_a_limit_of_the_system_is_no_bug(error: Exception, limit: str, capsys) -> None:
    with kept_signals(), pytest.raises(SystemExit) as end:
        finish(fails_with(error))
    assert end.value.code == 3
    assert capsys.readouterr().err == f"error: the system allows no more {limit}; raise the limit\n"


def test_a_parser_may_end_the_command(capsys) -> None:
    for arguments, code in ((["--help"], 0), (["--bogus"], 2)):
        with kept_signals(), pytest.raises(SystemExit) as end:
            finish(partial(argparse.ArgumentParser().parse_args, arguments))
        assert end.value.code == code
    assert "unexpected" not in capsys.readouterr().err


def test_a_long_message_keeps_how_to_fix_it(capsys) -> None:
    with kept_signals(), pytest.raises(SystemExit):
        finish(fails_with(CannotRun(f"it is {'x' * 100_000}; run: python -m export")))
    said = capsys.readouterr().err
    assert len(said) < 4_100
    assert said.startswith("error: it is xxx") and said.endswith("; run: python -m export\n")


ENDED = """
import os, signal, sys, time
from export.command import finish
def work():
    try:
        for number in [{}]:
            os.kill(os.getpid(), number)
        time.sleep(60)
    finally:
        print("cleaned up")
finish(work)
"""


def not_ignored() -> None:
    """Let a process get the signals that nohup and a shell's background job ignore."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("signals", "code", "line"),
    [
        ("signal.SIGTERM", 143, "error: ended by SIGTERM\n"),
        ("signal.SIGHUP, signal.SIGHUP", 129, "error: ended by SIGHUP\n"),
        ("signal.SIGINT", 130, "error: interrupted\n"),
    ],
)
def test_a_signal_ends_the_command_after_it_has_cleaned_up(signals: str, code: int, line: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", ENDED.format(signals)],
        capture_output=True,
        text=True,
        preexec_fn=not_ignored,
    )
    assert (run.returncode, run.stdout, run.stderr) == (code, "cleaned up\n", line)


def test_an_ignored_signal_stays_ignored() -> None:
    code = ENDED.format("signal.SIGHUP").replace("sleep(60)", "sleep(0)")
    run = subprocess.run(["nohup", sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "cleaned up\n")

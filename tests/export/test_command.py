"""Tests of `python -m export`: its output and exit codes."""

import argparse
import errno
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from export.cache import Entry
from export.command import finish
from export.errors import CannotRun
from tests.helpers.commands import kept_signals


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "export", *arguments], capture_output=True, text=True)


def test_look_up_list_and_verify(entry: Entry, tiny_folder: Path) -> None:
    assert command(str(tiny_folder)).stdout == f"{entry.folder}\n"
    assert entry.folder.name in command("--list").stdout
    assert command("--verify", entry.folder.name).stdout.startswith(entry.folder.name)


def test_remove(entry: Entry, tmp_path: Path) -> None:
    shutil.copytree(entry.folder, tmp_path / "models" / entry.folder.name)
    run = command("--remove", entry.folder.name, "--cache-dir", str(tmp_path))
    assert run.stdout.startswith(f"removed {entry.folder.name}")
    assert command("--list", "--cache-dir", str(tmp_path)).stderr.startswith("no models in ")


@pytest.fixture
def damaged(entry: Entry, tmp_path: Path) -> tuple[str, Path]:
    """The name of an entry with a truncated manifest, and the folder of its cache."""
    copy = shutil.copytree(entry.folder, tmp_path / "models" / entry.folder.name)
    manifest = copy / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:200])
    return copy.name, tmp_path


def test_a_damaged_manifest_is_one_line_with_the_command_that_removes_it(
    damaged: tuple[str, Path], tiny_folder: Path
) -> None:
    name, root = damaged
    here = ["--cache-dir", str(root)]
    message = f"the cache entry {name} has changed since it was exported: manifest.json cannot be read: "
    mend = f"Remove it, and the next run exports it again: python -m export --remove {name}\n"
    for arguments in ([str(tiny_folder)], ["--verify"], ["--verify", name]):
        run = command(*arguments, *here)
        assert (run.returncode, run.stdout) == (2, "")
        assert run.stderr.startswith(f"error: {message}")
        assert run.stderr.endswith(mend)
        assert run.stderr.count("\n") == 1
    listed = command("--list", *here)
    assert (listed.returncode, listed.stdout) == (0, "")
    assert listed.stderr.startswith(message)
    assert listed.stderr.endswith(mend)

    removed = command(*mend.split()[-2:], *here)
    assert removed.stdout.startswith(f"removed {name}  ")
    assert not list((root / "models").iterdir())
    assert command("--list", *here).stderr.startswith("no models in ")


def test_only_an_entry_is_removed(tmp_path: Path) -> None:
    """A name that is a path out of the cache removes nothing."""
    (tmp_path / "models").mkdir()
    (tmp_path / "kept").mkdir()
    run = command("--remove", "../kept", "--cache-dir", str(tmp_path))
    assert (run.returncode, (tmp_path / "kept").is_dir()) == (2, True)


@pytest.mark.slow
def test_one_of_two_exports_at_once_says_that_it_exports(tiny, tmp_path: Path) -> None:
    tiny(seed=8).save_pretrained(tmp_path / "model")
    arguments = [sys.executable, "-m", "export", str(tmp_path / "model"), "--cache-dir", str(tmp_path)]
    runs = [subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert outputs[0][0] == outputs[1][0]
    name = Path(outputs[0][0].strip()).name
    said = [[line for line in stderr.splitlines() if not re.search(r" \d+ s$", line)] for _, stderr in outputs]
    (exporting,) = (lines for lines in said if any(line.startswith("exporting") for line in lines))
    assert exporting[0] == "loading model"
    assert exporting[1].startswith("exporting model with dynamo: ")
    assert len(exporting) == 2
    said.remove(exporting)
    waited = ["waiting for another process that exports model", f"the other process exported it: {name}"]
    assert said[0] in (["loading model", *waited], ["loading model"], [])  # it may have started late


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--list", "--verify"], 2, "not allowed with argument"),
        (["--remove"], 2, "--remove needs the name of a model; python -m export --list prints the names"),
        (["--remove", "nothing"], 2, "the cache has no model 'nothing'"),
        (["--bogus"], 2, "unrecognized arguments: --bogus; see python -m export --help"),
        (["--exporter", "dynam"], 2, "unknown exporter 'dynam'; did you mean dynamo?"),
        (["/no/such/folder"], 2, "the model folder /no/such/folder does not exist"),
        (["--offline", "distilgpt3"], 3, "model 'distilgpt3' cannot be loaded: --offline was given"),
    ],
)
def test_bad_input_is_one_line(entry: Entry, arguments: list[str], code: int, message: str) -> None:
    run = command(*arguments)
    assert run.returncode == code
    assert message in run.stderr
    assert run.stderr.count("\n") == 1
    assert run.stderr.startswith("error: ")
    assert run.stdout == ""


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
    def work() -> None:
        raise raised

    with kept_signals(), pytest.raises(SystemExit) as end:
        finish(work)
    assert end.value.code == code
    assert capsys.readouterr().err == line


def test_a_reader_that_leaves_is_no_error(entry: Entry) -> None:
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run([sys.executable, "-m", "export", "--list"], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (run.returncode, run.stderr) == (0, "")


def test_an_export_writes_to_the_cache_alone_and_as_the_umask_says(tiny_folder: Path, tmp_path: Path) -> None:
    """Neither this project nor a library writes to the home folder, and no scratch files are left."""
    for name in ("home", "scratch"):
        (tmp_path / name).mkdir()
    own = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "scratch")}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "HF_", "ONNX_"))}
    arguments = [sys.executable, "-m", "export", str(tiny_folder), "--cache-dir", str(tmp_path / "cache")]
    run = subprocess.run(arguments, env=inherited | own, capture_output=True, text=True, umask=0o027)
    assert run.returncode == 0, run.stderr
    assert [*(tmp_path / "home").rglob("*"), *(tmp_path / "scratch").rglob("*")] == []
    (folder,) = run.stdout.splitlines()
    assert {path.name for path in tmp_path.iterdir()} == {"home", "scratch", "cache"}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in Path(folder).iterdir()}
    assert modes == {0o640}
    assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o750


def recursion(depth: int = 0) -> int:
    return recursion(depth + 1)


class Unspeakable(Exception):
    """An error whose message cannot be had."""

    def __str__(self) -> str:
        raise ValueError


def fails_with(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


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
    assert re.search(r"ValueError: why; it was raised in \S+test_command\.py:\d+, and no file could be written", said)
    assert said.count("\n") == 1


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

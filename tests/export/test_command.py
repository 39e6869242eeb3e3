"""python -m export: what it prints, and how it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from export.cache import Entry
from export.command import finish
from export.errors import CannotRun


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "export", *arguments], capture_output=True, text=True)


def test_look_up_list_and_verify(entry: Entry, tiny_folder: Path) -> None:
    assert command(str(tiny_folder)).stdout == f"{entry.folder}\n"
    assert entry.folder.name in command("--list").stdout
    assert command("--verify", entry.folder.name).stdout.startswith(entry.folder.name)


def test_remove(entry: Entry, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(entry.folder, tmp_path / "models" / entry.folder.name)
    run = command("--remove", entry.folder.name, "--cache-dir", str(tmp_path))
    assert run.stdout.startswith(f"removed {entry.folder.name}")
    assert command("--list", "--cache-dir", str(tmp_path)).stderr.startswith("nothing in ")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--list", "--verify"], 2, "not allowed with argument"),
        (["--remove"], 2, "--remove needs the names of what to remove; python -m export --list prints them"),
        (["--remove", "nothing"], 2, "nothing in the cache is called 'nothing'"),
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
    ],
)
def test_how_a_command_ends(raised: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise raised

    with pytest.raises(SystemExit) as end:
        finish(work)
    assert end.value.code == code
    assert capsys.readouterr().err == line


def test_a_reader_that_leaves_is_no_error(entry: Entry) -> None:
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run([sys.executable, "-m", "export", "--list"], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (run.returncode, run.stderr) == (0, "")

"""Tests of `python -m export`: its output and exit codes."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from export.cache import Entry


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

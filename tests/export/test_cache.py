"""The cache: an entry is published completely or not at all, and changed files are detected."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from export import cache
from export.cache import Entry, checked, entries, look_up, matching, publish, verify
from export.errors import BadInput
from export.manifest import Manifest
from export.removal import remove
from tests.helpers.cache_entries import SOURCE, build
from tests.helpers.progress import Recorder


def test_what_is_published_is_found(root: Path, thing: Entry) -> None:
    found = look_up(root, "thing", "123")
    assert found == thing
    assert found.manifest.source == SOURCE
    assert found.manifest.files["a.bin"].size == 3
    assert (root / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")
    assert look_up(root, "thing", "456") is None


def test_a_build_that_fails_leaves_nothing(root: Path) -> None:
    def fails(folder: Path) -> Manifest:
        (folder / "half").write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        publish(root, "thing", "123", fails)
    assert look_up(root, "thing", "123") is None
    assert [path.name for path in (root / "models").iterdir() if path.is_dir()] == []


def test_the_leftovers_of_a_dead_process_are_removed(root: Path) -> None:
    leftover = root / "models" / ".thing-123.building-1"
    leftover.mkdir(parents=True)
    publish(root, "thing", "123", build)
    assert not leftover.exists()


def test_what_another_process_published_is_taken(root: Path, thing: Entry) -> None:
    def never(folder: Path) -> Manifest:
        raise AssertionError("built twice")

    assert publish(root, "thing", "123", never) == thing


def test_one_of_several_processes_builds_and_the_others_wait(root: Path, tmp_path: Path) -> None:
    """The process that builds continues once both others have printed that they wait."""
    (tmp_path / "waiting").mkdir()
    code = f"""
import os
from pathlib import Path
from tests.helpers.cache_entries import build
from export.cache import publish
from export.progress import Progress
from tests.helpers.processes import comes_true
waiting = Path({str(tmp_path / "waiting")!r})
class Waiting(Progress):
    def stage(self, name, what="", of=None):
        print(name); (waiting / str(os.getpid())).touch()
    def note(self, line):
        print(line)
def slow(folder):
    print("built"); assert comes_true(lambda: len(os.listdir(waiting)) == 2)
    return build(folder)
publish(Path({str(root)!r}), "thing", "123", slow, Waiting())
"""
    runs = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    waited = "waiting for another process that exports thing\nthe other process exported it: thing-123\n"
    assert sorted(outputs) == ["built\n", waited, waited]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.write_bytes(b"abx"), r"a\.bin has SHA-256 [0-9a-f]{12}\.\.\.; the manifest says ba7816bf8f01"),
        (lambda p: p.write_bytes(b"abcd"), r"a\.bin has 4 bytes; the manifest says 3 bytes"),
        (lambda p: p.unlink(), r"a\.bin is missing; the manifest says 3 bytes"),
    ],
)
def test_a_changed_file_is_named_with_the_command_that_mends_it(root: Path, thing: Entry, change, message: str) -> None:
    change(thing.folder / "a.bin")
    for check in (lambda: look_up(root, "thing", "123"), lambda: verify(thing)):
        with pytest.raises(BadInput, match=message) as error:
            check()
        assert "python -m export --remove thing-123" in str(error.value)


def test_a_look_up_trusts_size_and_time_and_verify_does_not(root: Path, thing: Entry) -> None:
    path = thing.folder / "a.bin"
    before = path.stat().st_mtime_ns
    path.write_bytes(b"xyz")
    os.utime(path, ns=(before, before))
    assert checked(thing) == thing
    with pytest.raises(BadInput, match=r"a\.bin has SHA-256"):
        verify(thing)


def test_a_copied_cache_is_valid(root: Path, thing: Entry, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "copy", copy_function=shutil.copyfile)  # does not copy modification times
    assert look_up(tmp_path / "copy", "thing", "123") is not None


def test_removing_and_finding_by_any_name(root: Path, thing: Entry) -> None:
    assert [entry.folder.name for entry in matching(root, "thing")] == ["thing-123"]
    assert list(matching(root, "thing-123")) == [thing]
    remove(thing.folder)
    assert entries(root) == []


def test_what_an_interrupted_removal_has_left_is_removed(root: Path, thing: Entry) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead, alive = (root / "models" / f".removed-other-{number}" for number in (ended.pid, os.getppid()))
    dead.mkdir()
    alive.mkdir()
    remove(thing.folder)
    assert (dead.exists(), alive.exists()) == (False, True)


def test_a_process_that_waits_says_so_once_and_exports_if_the_other_failed(root: Path) -> None:
    """Another process holds the lock, and its export fails while this process waits."""
    from filelock import FileLock

    root.joinpath("models").mkdir(parents=True)
    other = FileLock(root / "models" / ".thing-123.lock")
    other.acquire()

    class Waiting(Recorder):
        def stage(self, name: str, what: str = "", of: int | None = None) -> None:
            super().stage(name, what, of)
            other.release()

    progress = Waiting()
    assert publish(root, "thing", "123", build, progress).folder.name == "thing-123"
    assert progress.texts("stage", "note") == ["waiting for another process that exports thing"]


def test_a_folder_that_is_no_entry_is_ignored(root: Path, thing: Entry) -> None:
    (root / "models" / "stray").mkdir()
    (root / "models" / "stray" / "manifest.json").write_text("{not json")
    assert entries(root) == [thing]


def test_the_cache_is_in_the_given_folder_the_named_one_or_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache.cache_root(tmp_path) == tmp_path
    monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, str(tmp_path / "named"))
    assert cache.cache_root() == tmp_path / "named"
    monkeypatch.delenv(cache.ENVIRONMENT_VARIABLE)
    assert cache.cache_root() == Path(cache.__file__).parent.parent / "cache"


def test_a_cache_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        BadInput,
        match=r"cannot be written: a part of its path is not a folder; give another one with --cache-dir FOLDER",
    ):
        publish(tmp_path / "file", "thing", "123", build)

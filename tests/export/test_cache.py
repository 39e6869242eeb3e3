"""Tests of the cache: an entry is published completely or not at all, and changed files are detected."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from export import cache
from export.cache import Entry, checked, entries, entry_in, look_up, matching, publish, remove, verify
from export.errors import BadInput
from export.manifest import Manifest, ModelFacts
from export.sources import Source
from tests.helpers.progress import Recorder

SOURCE = Source("seeded", "thing", "thing", "0")
FACTS: ModelFacts = {
    "type": "gpt2",
    "layers": 2,
    "heads": 4,
    "key_value_heads": 4,
    "head_dim": 16,
    "hidden": 64,
    "vocabulary": 300,
    "positions": 64,
    "parameters": 12345,
    "tokens": "bytes",
}


def build(folder: Path) -> Manifest:
    (folder / "a.bin").write_bytes(b"abc")
    (folder / "b.txt").write_text("text")
    return Manifest(source=SOURCE, exporter="dynamo", opset=20, versions={}, model=FACTS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def thing(root: Path) -> Entry:
    return publish(root, "thing", "123", build)


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


def test_what_a_dead_process_left_is_cleared_away(root: Path) -> None:
    leftover = root / "models" / ".thing-123.building-1"
    leftover.mkdir(parents=True)
    publish(root, "thing", "123", build)
    assert not leftover.exists()


def test_what_another_process_published_is_taken(root: Path, thing: Entry) -> None:
    def never(folder: Path) -> Manifest:
        raise AssertionError("built twice")

    assert publish(root, "thing", "123", never) == thing


def test_of_processes_at_once_one_builds_and_the_others_wait(root: Path, tmp_path: Path) -> None:
    """The process that builds continues once both others have printed that they wait."""
    (tmp_path / "waiting").mkdir()
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import test_cache
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
    return test_cache.build(folder)
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
        (lambda p: p.write_bytes(b"abx"), r"a\.bin has SHA-256 [0-9a-f]{12}\.\.\., the manifest says ba7816bf8f01"),
        (lambda p: p.write_bytes(b"abcd"), r"a\.bin has 4 bytes, the manifest says 3 bytes"),
        (lambda p: p.unlink(), r"a\.bin is gone, the manifest says 3 bytes"),
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


def test_a_cache_that_was_copied_is_still_good(root: Path, thing: Entry, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "copy", copy_function=shutil.copyfile)  # does not copy modification times
    assert look_up(tmp_path / "copy", "thing", "123") is not None


def test_removing_and_finding_by_any_name(root: Path, thing: Entry) -> None:
    assert [entry.folder.name for entry in matching(root, "thing")] == ["thing-123"]
    assert list(matching(root, "thing-123")) == [thing]
    remove(thing.folder)
    assert entries(root) == []


def test_who_waits_says_so_once_and_exports_if_the_other_failed(root: Path) -> None:
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


def cut(manifest: Path) -> None:
    content = manifest.read_bytes()
    manifest.write_bytes(content[: len(content) // 2])


def zeroed(manifest: Path) -> None:
    content = manifest.read_bytes()
    manifest.write_bytes(content[:100] + bytes(50) + content[150:])


def with_content(text: str):
    return lambda manifest: manifest.write_text(text)


def with_field(change):
    """Return a function that parses a manifest, applies `change` to its content and writes it back."""

    def damage(manifest: Path) -> None:
        content = json.loads(manifest.read_text())
        change(content)
        manifest.write_text(json.dumps(content))

    return damage


DAMAGE = [
    (cut, r"manifest\.json cannot be read: .*(delimiter|Expecting|Unterminated)"),
    (zeroed, r"manifest\.json cannot be read: .*(control character|Expecting)"),
    (lambda manifest: manifest.write_bytes(bytes(200)), r"manifest\.json cannot be read: Expecting value"),
    (lambda manifest: manifest.write_bytes(b"\xff\xfe"), r"manifest\.json cannot be read: "),
    (Path.unlink, r"manifest\.json is gone"),
    (with_content(""), r"manifest\.json cannot be read: Expecting value"),
    (with_content("[]"), r"manifest\.json cannot be read: it is not an object"),
    (with_content("null"), r"manifest\.json cannot be read: it is not an object"),
    (with_content("{}"), r"manifest\.json cannot be read: it has no checkpoint"),
    (with_content('{"schema": "1"}'), r"manifest\.json cannot be read: it has no checkpoint"),
    (with_content("[" * 100_000), r"manifest\.json cannot be read: it is nested too deeply"),
    (with_field(lambda m: m.pop("files")), r"cannot be read: it has no files"),
    (with_field(lambda m: m.update(more=1)), r"cannot be read: it has an unknown field 'more'"),
    (with_field(lambda m: m["model"].pop("positions")), r"cannot be read: model has no positions"),
    (with_field(lambda m: m["model"].update(layers="2")), r"cannot be read: model\.layers is '2', not of type int"),
    (with_field(lambda m: m["model"].update(tokens="x")), r"model\.tokens is 'x', not one of bytes, vocabulary"),
    (with_field(lambda m: m["files"]["a.bin"].update(size=True)), r"files\.a\.bin\.size is True, not of type int"),
    (with_field(lambda m: m.update(files=["a.bin"])), r"cannot be read: files is not an object"),
    (with_field(lambda m: m["source"].update(kind="elsewhere")), r"source\.kind is 'elsewhere', not one of hub, "),
    (with_field(lambda m: m.update(fingerprint={"a": 1})), r"cannot be read: fingerprint\.a is not a list"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_a_damaged_manifest_is_as_any_damaged_file(root: Path, thing: Entry, damage, message: str) -> None:
    damage(thing.folder / "manifest.json")
    for use in (
        lambda: look_up(root, "thing", "123"),
        lambda: publish(root, "thing", "123", build),
        lambda: entry_in(thing.folder),
    ):
        with pytest.raises(
            BadInput, match="cache entry thing-123 has changed since it was exported: .*" + message
        ) as e:
            use()
        assert str(e.value).endswith("python -m export --remove thing-123")
    assert entries(root) == []
    assert list(cache.damaged(root)) == ["thing-123"]


def test_a_folder_that_is_no_entry_is_passed_over(root: Path, thing: Entry) -> None:
    (root / "models" / "stray").mkdir()
    (root / "models" / "stray" / "manifest.json").write_text("{not json")
    assert entries(root) == [thing]


def test_an_entry_of_another_schema_says_how_to_mend_it(root: Path, thing: Entry) -> None:
    manifest = thing.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"schema": 2', '"schema": 99'))
    with pytest.raises(BadInput, match=r"cache schema 99, this is 2; remove it: python -m export --remove thing-123"):
        look_up(root, "thing", "123")


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.cache_root(tmp_path) == tmp_path
    monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, str(tmp_path / "named"))
    assert cache.cache_root() == tmp_path / "named"
    monkeypatch.delenv(cache.ENVIRONMENT_VARIABLE)
    assert cache.cache_root() == Path(cache.__file__).parent.parent / "cache"


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"cannot be written: Not a directory; give another: --cache-dir FOLDER"):
        publish(tmp_path / "file", "thing", "123", build)

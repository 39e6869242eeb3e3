"""Test that names of models and of the cache's folder that cannot be one are refused in one line, and write nothing."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from export import cache
from export.__main__ import main
from export.cache import Entry, cache_root, publish
from export.errors import BadInput, CannotRun, ComparisonError
from export.exporting import exported
from export.manifest import Manifest
from export.sources import find
from tests.helpers.cache_entries import build

NAMES = [
    ("", "the model's name is empty"),
    ("  ", "the model's name is empty"),
    ("x" * 300, "its name is too long"),
    ("/" + "x" * 300, "its name is too long"),
    ("a/" * 5000, "its name is too long"),
    ("a\0b", r"the model's name is 'a\x00b', and no file can have a zero character in its name"),
    ("a\x1b[31m", r"'a\x1b[31m' is not a model name, folder or hub id"),
    ("./a\x1b[31m", "does not exist"),
    ("a\nb", r"'a\nb' is not a model name, folder or hub id"),
    ("\ud800", r"the model's name is '\ud800', which is not UTF-8 text; rename it"),
    ("..", "has no config.json"),
    ("/", "the model folder / has no config.json"),
    ("~nobody-here/x", "the model's name is '~nobody-here/x', but ~nobody-here has no home folder; give another path"),
    ("/dev/null", "the model folder /dev/null is not a folder; give a folder with config.json and"),
    ("/dev/null/x", "the model folder /dev/null/x does not exist"),
    ("a b", "'a b' is not a model name, folder or hub id"),
    ("a" * 97, "is not a model name, folder or hub id"),
    ("a--b..c", "is not a model name, folder or hub id"),
    ("\u202egpt2", "is not a model name, folder or hub id"),
]


@pytest.mark.parametrize(("name", "message"), NAMES)
def test_a_name_that_is_none(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ComparisonError) as error:
        exported(name, offline=True, cache_dir=tmp_path / "cache")
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_name_has_control_characters(tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "a\x1b]0;title\x07\nb")
    source = find(str(folder))
    assert (source.name, source.origin) == ("a_]0;title__b", str(folder))


def test_a_file_in_the_place_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model").write_text("")
    for name, message in (("model", "is not a folder"), ("model/x", "does not exist")):
        with pytest.raises(BadInput, match=message):
            exported(name, offline=True, cache_dir=tmp_path / "cache")


def test_a_folder_with_the_name_of_the_shipped_model_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = exported("byte-gpt2", cache_dir=tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "byte-gpt2").mkdir()
    assert exported("byte-gpt2", cache_dir=tmp_path / "cache").folder == entry.folder


def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(BadInput, match="its links lead back to themselves"):
        exported(str(tmp_path / "loop"), offline=True)


def test_a_folder_whose_name_is_as_long_as_can_be(tmp_path: Path) -> None:
    """The name of its entry is longer, so it is cut."""
    name = "ü" * 127
    entry = publish(tmp_path / "cache", name, "0" * 12, build)
    assert entry.folder.name == "ü" * 75 + "-" + "0" * 12
    assert cache.look_up(tmp_path / "cache", name, "0" * 12) == entry


def test_a_name_with_characters_of_patterns(tmp_path: Path) -> None:
    kept = tmp_path / "models" / ".other-1.building-1"
    kept.mkdir(parents=True)
    publish(tmp_path, "*", "1", build)
    assert kept.is_dir()


#: Options of `python -m export` -> what the message says.
OPTIONS = [
    (["--cache-dir", ""], "--cache-dir is empty; give the path of a folder"),
    (["--cache-dir", "a\x1bb"], r"--cache-dir is 'a\x1bb', which has control characters"),
    (["--cache-dir", "\udcff"], r"--cache-dir is '\udcff', which is not UTF-8 text; rename it"),
    (["--cache-dir", "~nobody-here"], "--cache-dir is '~nobody-here', but ~nobody-here has no home folder"),
    (["--cache-dir"], "expected one argument"),
    (["--exporter", ""], "unknown exporter ''; known: dynamo, optimum"),
    (["--exporter", "x\x1b"], r"unknown exporter 'x\x1b'"),
    (["--list", "--remove"], "not allowed with argument"),
    (["--remove"], "--remove needs the name of a model"),
    (["--remove", ""], "the cache has no model ''"),
    (["--remove", "x" * 10**5], "... (100,000 characters); python -m export --list"),
    (["--verify", "\ud800"], r"the cache has no model '\ud800'"),
    (["--offline=yes", "x"], "ignored explicit argument 'yes'"),
    ([""], "the model's name is empty"),
]


@pytest.mark.parametrize(("arguments", "message"), OPTIONS)
def test_wrong_options(root: Path, thing: Entry, arguments: list[str], message: str, monkeypatch) -> None:
    monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, str(root))
    before = sorted(root.rglob("*"))
    with pytest.raises(BadInput) as error:
        main(arguments)
    assert message in str(error.value)
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize(
    "name", ["..", "../kept", ".", "/", "models", "kept", "./thing-123", "thing-123/", ".thing-123.lock"]
)
@pytest.mark.parametrize("action", ["--remove", "--verify"])
def test_names_that_lead_out_of_the_cache(root: Path, thing: Entry, name: str, action: str) -> None:
    (root / "kept").mkdir()
    before = sorted(root.rglob("*"))
    with pytest.raises(BadInput, match="the cache has no model "):
        main([action, name, "--cache-dir", str(root)])
    assert sorted(root.rglob("*")) == before


def test_of_an_entry_that_is_a_link_only_the_link_is_removed(root: Path, thing: Entry, tmp_path: Path) -> None:
    moved = thing.folder.rename(tmp_path / "moved")
    thing.folder.symlink_to(moved)
    main(["--remove", "thing-123", "--cache-dir", str(root)])
    assert sorted(path.name for path in moved.iterdir()) == ["a.bin", "b.txt", "manifest.json"]
    assert not thing.folder.is_symlink()


def test_an_entry_that_cannot_be_removed(root: Path, thing: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(BadInput, match=r"thing-123 cannot be removed: permission denied$"):
        main(["--remove", "thing-123", "--cache-dir", str(root)])


def test_the_cache_in_the_place_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    for name, message in (
        ("file", "a part of its path is not a folder"),
        ("file/x", "a part of its path is not a folder"),
        ("loop", "its links lead back to themselves"),
        ("x" * 300, "its name is too long"),
    ):
        with pytest.raises(BadInput, match=message):
            publish(tmp_path / name, "thing", "123", build)
        main(["--list", "--cache-dir", str(tmp_path / name)])


@pytest.mark.parametrize(
    ("number", "kind"), [(28, CannotRun), (122, CannotRun), (27, CannotRun), (30, BadInput), (13, BadInput)]
)
def test_a_disk_that_is_full_or_read_only_leaves_no_half_entry(root: Path, number: int, kind: type) -> None:
    def fails(folder: Path) -> Manifest:
        (folder / "half").write_text("half")
        raise OSError(number, os.strerror(number))

    with pytest.raises(kind, match=r"--cache-dir FOLDER$"):
        publish(root, "thing", "123", fails)
    assert [path.name for path in (root / "models").iterdir()] == [".thing-123.lock"]


def test_a_library_in_rust_says_it_in_words(root: Path) -> None:
    def fails(folder: Path) -> Manifest:
        raise Exception("Error while serializing: I/O error: No space left on device (os error 28)")

    with pytest.raises(CannotRun, match=r"cannot be written to .*: Error while serializing: .*\. Remove models"):
        publish(root, "thing", "123", fails)


def test_a_manifest_that_could_not_be_read_is_not_written(root: Path) -> None:
    def wrong(folder: Path) -> Manifest:
        manifest = build(folder)
        return replace(manifest, model=manifest.model | {"hidden": 1.5})

    with pytest.raises(CannotRun, match=r"thing cannot be kept in the cache: of its manifest, model.hidden is 1.5"):
        publish(root, "thing", "123", wrong)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("~nobody-here", "ONNX_ATTENTION_COMPARE_CACHE is '~nobody-here', but ~nobody-here has no home folder"),
        ("a\tb", r"ONNX_ATTENTION_COMPARE_CACHE is 'a\\tb', which has control characters"),
        (" ", "ONNX_ATTENTION_COMPARE_CACHE is empty"),
    ],
)
def test_a_variable_that_names_no_folder(value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, value)
    with pytest.raises(BadInput, match=message):
        cache_root()


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, "")
    assert cache_root() == Path(cache.__file__).parent.parent / "cache"

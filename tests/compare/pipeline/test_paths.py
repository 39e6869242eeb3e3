"""Test that a path of a setting is refused in one line if no file can have it, or if its folder cannot be used."""

import os
from pathlib import Path

import pytest

from compare.pipeline.paths import check_cache, check_folder, make_folder, path_of
from compare.pipeline.settings import Settings
from export.errors import BadInput


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "out is empty; name a path, or leave it out"),
        (Path("a\0b"), "out is 'a\\x00b', which is no path: it has a control character"),
        ("a\nb", "out is 'a\\nb', which is no path: it has a control character"),
        ("\ud800", "out is '\\ud800', which is no path: it is not UTF-8"),
        ("x" * 5000, "... (5,000 characters), which is no path: it has 5,000 characters, and at most 4,096"),
        ("~no-user-of-this-name/x", "and that home folder is not known; write the path without ~"),
        (7, "out is 7; it must be a path"),
        (b"out", "out is b'out'; it must be a path"),
    ],
)
def test_what_no_file_can_be_called(value: object, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        Settings.of(out=value)
    assert message in str(refused.value)


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path_of("out", "~/reports") == tmp_path / "reports"
    monkeypatch.delenv("HOME")
    assert path_of("out", "reports") == Path("reports")


def make_link(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "file")
    return folder / "link"


def make_loop(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


def make_dangling(folder: Path) -> Path:
    (folder / "dangling").symlink_to(folder / "nowhere")
    return folder / "dangling"


def make_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda folder: folder / "file", "it is not a folder"),
        (lambda folder: folder / "file" / "inner", "a part of its path is not a folder"),
        (lambda folder: folder / ("x" * 300), "its name is too long"),
        (make_link, "it is not a folder"),
        (make_loop, "its links lead back to themselves"),
        (make_dangling, "it does not exist"),
        (make_pipe, "it is not a folder"),
        (lambda folder: Path("/proc/nowhere"), ""),
    ],
)
@pytest.mark.parametrize("check", [check_folder, make_folder])
def test_what_is_no_folder_is_no_folder_of_a_report(check, make, why: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(BadInput) as refused:
        check(path)
    assert str(refused.value).startswith(
        f"the folder {path} cannot be written to: {why}" if check is check_folder else ""
    )
    assert str(refused.value).endswith("; set out to another folder")
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_text() == "mine"


def test_a_cache_that_is_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"^the cache cannot be in .*file: it is not a folder; set cache_dir to another"):
        check_cache(tmp_path / "file")
    monkeypatch.setenv("ONNX_ATTENTION_COMPARE_CACHE", str(tmp_path / "file"))
    with pytest.raises(BadInput, match=r"it is not a folder; set ONNX_ATTENTION_COMPARE_CACHE to another folder"):
        check_cache(None)
    monkeypatch.setenv("ONNX_ATTENTION_COMPARE_CACHE", "~no-user-of-this-name/x")
    with pytest.raises(BadInput, match=r"~no-user-of-this-name has no home folder; give another path"):
        check_cache(None)
    check_cache(tmp_path / "new" / "cache")
    assert not (tmp_path / "new").exists()

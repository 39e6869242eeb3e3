"""Test the text and the command line of the arguments."""

import os
import sys
from pathlib import Path

import pytest

from compare.cli.arguments import text_in, typed_command
from compare.pipeline.inputs import check_text
from compare.pipeline.settings import LONGEST_TEXT
from export.errors import BadInput


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"two words\n", "two words\n"), (b"\xef\xbb\xbfwith a mark", "with a mark"), ("ä".encode(), "ä")],
)
def test_a_file_is_the_text(content: bytes, text: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(content)
    assert text_in(None, tmp_path / "text") == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfea\0b\0", "it is not UTF-8 text (byte 0)"),
        ("ä".encode("latin-1"), "it is not UTF-8 text (byte 0)"),
        (b"a" * (LONGEST_TEXT + 1), "it has more than 1,048,576 bytes"),
    ],
)
def test_a_file_that_is_no_text_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(content)
    with pytest.raises(BadInput) as refused:
        text_in(None, tmp_path / "text")
    assert message in str(refused.value)
    assert str(refused.value).endswith("give --text-file a file of UTF-8 text, or a part of it if it is long")


@pytest.mark.parametrize("kind", ["pipe", "sparse", "folder"])
def test_only_a_regular_file_up_to_a_size_is_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "text"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(10 * 2**30)
    with pytest.raises(BadInput, match=r"^the text .*text cannot be read: it (is a pipe|is a folder|has more than)"):
        text_in(None, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" \n\t", "the text is empty; give another one"),
        ("a\0b", "the text has NUL as its character 2, so it is not text; save it as UTF-8"),
        ("ab\ud800", "the text is not valid Unicode: its character 3 is half of one"),
        ("a" * 10**8, "the text has 100,000,000 characters"),
    ],
)
def test_a_text_that_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_text(text)
    assert str(refused.value).startswith(message)


def test_a_command_is_written_for_a_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["compare", "--text", "two words", "--out", f"{tmp_path}/out"])
    assert typed_command() == "python -m compare --text 'two words' --out ~/out"
    monkeypatch.setattr(sys, "argv", ["compare", "--text", "\udcff"])
    assert typed_command() is None

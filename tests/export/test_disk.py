"""Errors of a full or read-only disk: which of them are refused in words, and with which exit code."""

import errno
from pathlib import Path

import pytest

from export.disk import writing
from export.errors import BadInput, CannotRun


@pytest.mark.parametrize(
    ("number", "name", "kind"),
    [
        (errno.ENOSPC, None, CannotRun),
        (errno.EROFS, "cache/models/x", BadInput),
        (errno.EACCES, "cache/models/x", BadInput),
        (errno.EACCES, "elsewhere", PermissionError),
        (errno.ENOENT, "cache/models/x", FileNotFoundError),
    ],
)
def test_only_the_errors_of_the_folder_are_put_into_words(number: int, name: str | None, kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised, writing(Path("cache"), "choose another"):
        raise OSError(number, "so it is", name)
    assert type(raised.value) is kind
    if kind in (CannotRun, BadInput):
        assert str(raised.value) == "the folder cache cannot be written to: so it is; choose another"

"""Test that sizes of a terminal which no terminal has are not believed."""

import os

import pytest

from compare.cli.environment import ignore_wrong_sizes


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("80", True),
        ("1000", True),
        ("0", False),
        ("-1", False),
        ("abc", False),
        ("1000000000", False),
        ("", False),
        ("٣", False),
    ],
)
@pytest.mark.parametrize("name", ["COLUMNS", "LINES"])
def test_only_sizes_of_a_terminal_are_kept(name: str, value: str, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    ignore_wrong_sizes()
    assert (os.environ.get(name) == value) is kept


def test_what_is_not_set_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    ignore_wrong_sizes()
    assert "COLUMNS" not in os.environ

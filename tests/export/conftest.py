"""A cache with one small entry."""

from pathlib import Path

import pytest

from export.cache import Entry, publish
from tests.helpers.cache_entries import build


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def thing(root: Path) -> Entry:
    return publish(root, "thing", "123", build)

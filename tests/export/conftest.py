"""A cache with one small entry, and folders of a tiny model that a test may change."""

import shutil
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


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder of a tiny GPT-2."""
    return shutil.copytree(tiny_folder, tmp_path / "model")


@pytest.fixture
def sharded(tiny, tmp_path: Path) -> Path:
    """The folder of a tiny GPT-2 that is saved as several files and an index."""
    folder = tmp_path / "sharded"
    tiny().save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    return folder

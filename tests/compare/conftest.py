"""Fakes for the registry, and one small comparison that many tests read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compare import fakes


@pytest.fixture
def fake_runtimes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The runtimes of `fakes` are installed, here and in child processes."""
    from compare.runtimes.registry import listing

    folder = tmp_path / "site"
    folder.mkdir()
    fakes.install(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    listing.cache_clear()
    yield
    listing.cache_clear()


@pytest.fixture(scope="session")
def report(entry, tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory):
    """A comparison of the tiny GPT-2 across all built-in runtimes, with its traces kept."""
    from compare.comparison import compare
    from compare.settings import Settings

    out = tmp_path_factory.mktemp("report")
    return compare(
        str(tiny_folder), Settings(text="To be, or not to be.", seconds=0.5, threads=1, out=out, keep_traces=True)
    )

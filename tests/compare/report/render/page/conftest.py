"""Fixtures: one browser for all tests that need one, and the page of the shared report."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from compare.runtimes import npm_packages


@pytest.fixture(scope="package")
def browser() -> Iterator[object]:
    """A headless Chromium, as the runtime onnxruntime-web starts it.

    It ends with the tests of this folder, because asyncio cannot run anything else in this thread meanwhile.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    executable = npm_packages.chromium()
    if executable is None:
        pytest.skip("Chromium not installed")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=executable or None)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def written(report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the shared report."""
    from compare.report.render.page.page import to_html

    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(to_html(report))
    return path

"""The documentation site: it is built without a warning, and no page loads anything from another host."""

import doctest
import importlib.util
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from compare import __all__ as public_functions
from tests.helpers.documents import DOCS, ROOT

#: What a browser loads by itself: tag -> the attribute with the address.
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}


class Addresses(HTMLParser):
    """Collects the addresses that a browser loads when it opens a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in LOADED and (address := values.get(LOADED[tag])) and values.get("rel") not in ("prev", "next"):
            self.found.append(address)


def build(configuration: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Build a site in a new process."""
    command = [sys.executable, "-m", "mkdocs", "build", "--config-file", configuration, "--site-dir", out]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", out)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return out


def test_every_page_is_built(site: Path) -> None:
    assert {page.stem for page in DOCS.glob("*.md")} <= {page.stem for page in site.glob("*.html")}


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    pages = [page for page in sorted(site.glob("*.html")) if page.name != "404.html"]  # only a server shows that one
    loaded = {page.name: Addresses(page.read_text()).found for page in pages}
    assert all(loaded.values())
    away = {name: [address for address in found if "//" in address] for name, found in loaded.items()}
    assert {name: found for name, found in away.items() if found} == {}
    styles = "".join(style.read_text() for style in site.rglob("*.css"))
    assert "url(http" not in styles and "@import" not in styles
    for name, found in loaded.items():
        files = [
            (site / name).parent / address.partition("?")[0] for address in found if not address.startswith("data:")
        ]
        assert [file for file in files if not file.is_file()] == []


def test_an_address_of_another_host_would_be_seen() -> None:
    page = '<link href="https://fonts.example/x.css" rel="stylesheet"><a href="https://example.org">a link</a>'
    assert Addresses(page).found == ["https://fonts.example/x.css"]


def test_the_reference_has_every_function_with_parameters_and_examples(site: Path) -> None:
    page = (site / "api.html").read_text()
    assert [name for name in public_functions if f'.{name}" class="doc doc-heading"' not in page] == []
    assert "<strong>min_rounds</strong>: the fewest rounds" in page
    assert "<strong>key, value</strong>: (batch, key heads, keys, head_dim)" in page
    assert "&gt;&gt;&gt;" in page
    assert "<blockquote>" not in page


def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "index.md").write_text("# A page\n\n[a link](nowhere.md)\n")
    configuration = tmp_path / "mkdocs.yml"
    configuration.write_text(
        f"INHERIT: {ROOT / 'mkdocs.yml'}\ndocs_dir: {pages}\nhooks: []\nplugins: []\nnav: [index.md]\n"
    )
    done = build(configuration, tmp_path / "out")
    assert done.returncode == 1
    assert "nowhere.md" in done.stderr


def test_parameters_become_a_list() -> None:
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert doctest.testmod(module) == (0, 1)

"""The README and the pages of the documentation: their length, their links, and their examples of tests."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import documents, schema_page
from tests.helpers.documents import DOCS, README, ROOT, blocks


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 150


@pytest.mark.parametrize("file", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_relative_links_lead_to_files(file: str) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / file).read_text())
    relative = [link for link in links if not link.startswith("https://")]
    assert relative
    assert [link for link in relative if not (ROOT / link).exists()] == []


def test_pages_that_sources_name_exist() -> None:
    sources = [
        file for package in ("compare", "export", "benchmarks", "tests") for file in (ROOT / package).rglob("*.py")
    ]
    named = {
        page
        for file in [*sources, *DOCS.glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
        for page in re.findall(r"docs/[a-z-]+\.md", file.read_text())
    }
    assert named >= {"docs/verdicts.md", "docs/latency.md"}
    assert [page for page in sorted(named) if not (ROOT / page).is_file()] == []


def test_the_page_of_the_schema_is_made_from_the_classes() -> None:
    assert schema_page.PAGE.read_text() == schema_page.page(), "write it with: python -m tests.helpers.schema_page"


def test_a_field_has_the_comment_of_its_line_or_of_the_lines_above() -> None:
    from compare.results.latency import TurnRecord

    fields = schema_page.comments_of(TurnRecord)
    assert fields["turns"] == ("dict[int, list[int]]", "round -> nanoseconds of each call, in order")
    assert fields["loads"][1].startswith(
        "round -> the share of the CPU time that others used in each attempt, in order;"
    )


def test_examples_of_the_helper_hold() -> None:
    assert doctest.testmod(documents) == (0, 2)


@pytest.mark.parametrize(("page", "outcome"), [(README, "1 passed"), (DOCS / "testing.md", "1 failed, 1 passed")])
def test_tests_in_the_pages_end_as_the_pages_say(page: Path, outcome: str, tmp_path: Path) -> None:
    (test,) = (block.text for block in blocks(page.read_text()) if "def test_" in block.text)
    (tmp_path / "test_kernel.py").write_text(f"{test}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_kernel.py"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert f"{outcome} in " in done.stdout.splitlines()[-1], done.stdout + done.stderr

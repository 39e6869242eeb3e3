"""The page as text: its size, its policy, what it has of a report, and the files of the plotting library."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from compare.report.render.page import page as rendering
from compare.report.render.page.page import print_report, save_page, to_html
from compare.report.render.page.parts import parts_of
from compare.report.schema import Report
from compare.report.screen import screen
from compare.report.sections.registry import SECTIONS
from tests.helpers.attention_maps import attention, with_maps
from tests.helpers.screens import CHANGES, of_two_files

VENDOR = Path(rendering.__file__).with_name("vendor")

#: The most bytes of a page of six layers, twelve heads and 128 tokens.
LARGEST = 8_000_000


def data_of(page: str) -> dict:
    """Return the data that a page's scripts read."""
    return json.loads(page.partition('<script type="application/json" id="data">')[2].partition("</script>")[0])


def words_of(page: str) -> str:
    """Return the text of a page."""
    body = page.partition("<body>")[2].partition("<footer>")[0]
    joined = re.sub('<span class="option">([^<]*)</span>', r"\1", body)
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", joined)).split())


@pytest.mark.parametrize("change", CHANGES)
def test_it_begins_with_the_words_of_the_screen(altered: Report, change: Callable[[Report], None]) -> None:
    change(altered)
    shown, words = screen(altered), words_of(to_html(altered))
    for sentence in (*shown.header, *shown.verdict, *shown.advice, *shown.quality, *shown.more, shown.table.notes):
        assert " ".join(sentence.split()) in words
    for row in shown.table.rows:
        assert " ".join(" ".join(row).split()) in words


@pytest.mark.parametrize("change", CHANGES)
def test_every_section_is_on_it_once(altered: Report, change: Callable[[Report], None]) -> None:
    change(altered)
    page = to_html(altered)
    words = words_of(page)
    for section in SECTIONS:
        for table in (*section.tables(altered), *section.details(altered)):
            assert words.count(" ".join(table.title.split())) >= 1
        for sentence in section.sentences(altered):
            assert " ".join(sentence.split()) in words
    parts = parts_of(altered, rendering.chart_data(altered), rendering.attention_data(altered))
    shown = [table.title for part in parts for table in part.tables]
    assert sorted(shown) == sorted(table.title for section in SECTIONS for table in section.tables(altered))
    for part in parts:
        assert f'<section id="{part.name}"' in page and f'href="#{part.name}"' in page


def test_two_files_have_a_page_without_what_needs_a_model(altered: Report) -> None:
    of_two_files(altered)
    page = to_html(altered)
    assert data_of(page)["charts"]["gaps"] is None and data_of(page)["charts"]["front"] is None
    assert data_of(page)["charts"]["latency"]["rows"]
    assert "no golden attention to show" in words_of(page)


def test_a_report_without_attention_says_so(report: Report) -> None:
    bare = Report.model_validate(report.model_dump())
    assert bare.folder is None
    page = to_html(bare)
    assert data_of(page)["attention"] is None
    assert "This report keeps no attention" in words_of(page)
    for runtime in bare.runtimes:
        runtime.gaps = [replace(gap, heads=()) for gap in runtime.gaps]
    assert "No runtime that ran exposes its attention" in words_of(to_html(bare))


def test_the_policy_allows_its_own_scripts_and_style_alone(report: Report) -> None:
    page = to_html(report)
    allowed = html.unescape(re.search('Content-Security-Policy" content="([^"]*)"', page)[1])
    assert allowed.startswith("default-src 'none'; script-src 'sha256-")
    assert not {"unsafe", "http", "data:", "*", "self"} & set(re.split("[^a-z:*]", allowed))
    inline = [content for _, content in re.findall("<(script|style)>(.*?)</\\1>", page, re.DOTALL)]
    assert len(inline) == len(rendering.SCRIPTS) + 1
    for content in inline:
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in allowed
    assert not re.findall(r"<(?:script|img|link|iframe)[^>]*(?:src|href)=", page)
    assert not re.findall(r"\son[a-z]+=|\sstyle=", page.partition("<body>")[2].partition("<script")[0])


def test_a_page_of_the_usual_model_is_small_enough(report: Report, tmp_path: Path) -> None:
    """Six layers, twelve heads, 128 tokens, twenty runtimes that are different: more than any real comparison has."""
    golden, run = (attention(6, 12, 128, seed, causal=True) for seed in (0, 1))
    copy = with_maps(report, tmp_path, golden, run, different=20)
    page = to_html(copy)
    assert len(page.encode()) < LARGEST
    kept = data_of(page)["attention"]
    assert kept["positions"] == 128
    assert sum(len(base64.b64decode(runtime["codes"])) for runtime in kept["runtimes"]) > 2_000_000


def test_it_is_written_next_to_the_report_and_printed(report: Report, tmp_path: Path, capsys) -> None:
    copy = report.model_copy(deep=True)
    copy.write(tmp_path)
    path = save_page(copy)
    print_report(copy)
    assert path == tmp_path / "report.html"
    assert capsys.readouterr().out.rstrip("\n") == path.read_text().rstrip("\n")


def test_the_plotting_library_is_what_npm_has() -> None:
    sources = json.loads((VENDOR / "sources.json").read_text())
    assert {path.name for path in VENDOR.glob("*.js")} == set(sources)
    licences = (VENDOR / "LICENSES.txt").read_text()
    for name, source in sources.items():
        content = (VENDOR / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == source["sha256"]
        package, _, version = source["package"].rpartition("@")
        assert f"v{version}" in content.decode()[:100]
        assert f"{package}-{version}" in licences
        assert b"</script" not in content and b"<!--" not in content

"""The page in a browser: it asks for nothing, is readable in both themes, and works by mouse and keyboard."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compare.report.render.page.page import to_html
from compare.report.schema import Report
from export.printing import printable
from tests.helpers.browser import opened
from tests.helpers.screens import with_a_fault

LOOKS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_it_asks_for_nothing_and_can_be_read(browser, written: Path, width: int, scheme: str) -> None:
    with opened(browser, written, width=width, scheme=scheme) as found:
        assert found.page.locator(".drawing svg").count() == 5
        audit = found.audit()
        assert audit["texts"] > 500
        assert (audit["wider"], audit["small"], audit["faint"]) == (0, [], [])
        found.page.locator("#head-grid button").first.click()
        found.page.wait_for_selector("dialog[open]")
        audit = found.audit()
        assert (audit["wider"], audit["small"], audit["faint"]) == (0, [], [])
        assert found.requests == [written.as_uri()]
        assert found.complaints == []


def test_the_audit_can_fail(browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<!doctype html><body style='background:#fff'><p style='color:#999'>faint</p>"
        "<p style='font-size:11px'>small</p><div style='width:2000px'>wide</div>"
        "<script>console.error('said'); new Image().src = 'other.png'</script>"
    )
    with opened(browser, page) as found:
        audit = found.audit()
        assert audit["wider"] > 700
        assert audit["small"] == ["small"]
        assert audit["faint"] == ["faint: 2.8"]
        assert "said" in found.complaints
        assert found.requests[1:] == [(tmp_path / "other.png").as_uri()]


def test_heads_open_by_keyboard_and_close_with_escape(browser, written: Path, report: Report) -> None:
    with opened(browser, written) as found:
        keyboard = found.page.keyboard
        found.page.locator("#head-grid button[data-layer='0'][data-head='0']").focus()
        for key in ("ArrowRight", "ArrowDown", "Enter"):
            keyboard.press(key)
        assert found.page.locator("dialog[open] #maps-title").inner_text() == "Layer 1, head 1"
        before = found.page.locator("#maps-said").inner_text()
        last = report.input.sequence - 1
        assert before.startswith(f"query {last} (")
        keyboard.press("ArrowUp")
        keyboard.press("ArrowRight")
        assert found.page.locator("#maps-said").inner_text().startswith(f"query {last - 1} (")
        keyboard.press("Escape")
        assert not found.page.locator("dialog[open]").count()
        assert found.page.evaluate("() => document.activeElement.dataset.head") == "1"
        assert found.complaints == []


def test_a_map_shows_the_attention_of_the_traces(browser, written: Path, report: Report) -> None:
    """A click on a cell says golden's probability, the runtime's and their difference."""
    golden, run = (
        np.load(report.folder / "scratch" / name / "attention.1.npy")[0] for name in ("golden", "onnxruntime")
    )
    with opened(browser, written) as found:
        page = found.page
        page.locator("#head-runtime").select_option(label="onnxruntime")
        kept = page.locator("#head-grid button.kept[data-layer='1']").first
        head = int(kept.get_attribute("data-head"))
        kept.click()
        shown = "(which) => [...maps.values[which]]"
        maps = [np.array(page.evaluate(shown, which)) for which in ("golden", "runtime", "difference")]
        half = np.tril_indices(report.input.sequence)
        np.testing.assert_allclose(maps[0], golden[head][half], atol=0.005)
        np.testing.assert_allclose(maps[1], run[head][half], atol=0.005)
        difference = (run[head] - golden[head])[half]
        np.testing.assert_allclose(maps[2], difference, atol=0.01 * np.abs(difference).max())
        canvas = page.locator("[data-map='golden'] canvas[role='img']")
        box = canvas.bounding_box()
        canvas.click(position={"x": box["width"] - 4, "y": 4})
        assert page.locator("#maps-said").inner_text().startswith("query 0 (")
        painted = page.evaluate("""() => [...document.querySelectorAll("canvas[role='img']")].filter((canvas) => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size > 20;
        }).length""")
        assert painted == 3


def test_another_runtime_has_its_own_cells_and_words(browser, written: Path) -> None:
    with opened(browser, written) as found:
        cell = found.page.locator("#head-grid button").first
        labels, shades = [], []
        for runtime in ("torch-sdpa", "onnxruntime"):
            found.page.locator("#head-runtime").select_option(label=runtime)
            labels.append(cell.get_attribute("aria-label"))
            shades.append(cell.evaluate("(cell) => cell.style.backgroundColor"))
            assert runtime in labels[-1]
        assert all(shade.startswith("rgb(") for shade in shades)


def test_the_limit_is_that_of_the_chosen_statistic(browser, written: Path) -> None:
    with opened(browser, written) as found:
        chart = found.page.locator("[data-chart='gaps']")
        for statistic, limit in {"root mean square": 2, "slope": 8}.items():
            chart.locator("select").select_option(label=statistic)
            assert f"limit {limit}" in chart.locator("svg").text_content()


def test_a_fault_is_said_in_words(browser, altered: Report, tmp_path: Path) -> None:
    with_a_fault(altered)
    page = tmp_path / "report.html"
    page.write_text(to_html(altered))
    with opened(browser, page) as found:
        assert "NO: layer 2, attention" in found.page.locator("#screen").inner_text()
        gaps, front = (found.page.locator(f"[data-chart='{name}'] svg").text_content() for name in ("gaps", "front"))
        assert "onnxruntime: different: layer 2, attention" in gaps
        assert "onnxruntime (not trusted)" in front


HOSTILE = (
    "<script>hacked = 1</script>",
    "</script><script>hacked = 1</script>",
    "\"><img src=x onerror='hacked = 1'>",
    "'; hacked = 1; '",
    "\u202eevil\u2066\u200f",
    "{{ 7 * 7 }}",
    "${hacked = 1}",
)


def test_hostile_text_stays_text(browser, altered: Report, tmp_path: Path) -> None:
    tokens = [*HOSTILE, *altered.input.tokens[len(HOSTILE) :]]
    altered.input.tokens = tokens
    altered.model.name = altered.model.provenance = " ".join(HOSTILE)
    names = {row.runtime: f"{row.runtime} {HOSTILE[at % len(HOSTILE)]}" for at, row in enumerate(altered.latency)}
    for row in (*altered.latency, *altered.decoding, *altered.self_gaps):
        row.runtime = names.get(row.runtime, row.runtime)
    for runtime in altered.runtimes:
        runtime.name = names.get(runtime.name, runtime.name)
    altered.runtimes[-1] = replace(altered.runtimes[-1], error="".join(HOSTILE), verdict=None, gaps=[])
    altered.notes = list(HOSTILE)
    page = tmp_path / "report.html"
    page.write_text(to_html(altered))
    with opened(browser, page) as found:
        found.page.locator("#head-grid button").first.click()
        assert found.page.evaluate("() => typeof hacked") == "undefined"
        assert found.page.locator("img").count() == 0
        heading = found.page.locator("h1").inner_text()
        for text in HOSTILE:
            assert printable(text) in heading
        assert "\u202e" not in page.read_text()
        assert found.complaints == []
        assert found.requests == [page.as_uri()]


def test_without_scripts_the_tables_are_there(browser, written: Path) -> None:
    with opened(browser, written, scripts=False) as found:
        assert found.page.locator("#screen table tbody tr").count() == 6
        assert "need JavaScript" in found.page.locator("noscript").inner_text()

"""A report in a notebook and in a shell of Python: its screen, escaped, and one line instead of all numbers."""

from xml.etree import ElementTree

import pytest

from compare.report.render.notebook import to_html
from compare.report.schema import Report
from compare.report.screen import screen
from tests.helpers.reports import screen_of
from tests.helpers.screens import CHANGES

HOSTILE = '<script>alert(1)</script> & "quoted" </table> <b'


@pytest.mark.parametrize("change", CHANGES)
def test_html_says_what_the_screen_says(altered: Report, change) -> None:
    change(altered)
    altered.notes = ["a note"]
    shown, page = screen(altered), ElementTree.fromstring(to_html(altered))
    paragraphs = ["".join(each.itertext()) for each in page.iter("p")]
    assert paragraphs == [
        ", ".join(shown.header),
        "NOTE: a note",
        *filter(None, [shown.table.notes]),
        " ".join((*shown.verdict, *shown.advice)),
        *shown.quality,
        *shown.more,
    ]
    assert [each.text for each in page.iter("th")] == shown.table.columns
    rows = [[cell.text or "" for cell in row] for row in page.find("table/tbody")]
    for row, cells in zip(rows, shown.table.rows, strict=True):
        assert row == cells[: len(row)]
        assert not any(cells[len(row) :])
    spans = [sum(int(cell.get("colspan", "1")) for cell in row) for row in page.find("table/tbody")]
    assert set(spans) == {len(shown.table.columns)}


def test_text_from_outside_is_escaped(altered: Report) -> None:
    altered.notes = [HOSTILE]
    altered.runtimes[1].name = HOSTILE
    altered.model.provenance = HOSTILE
    html = altered._repr_html_()
    assert "<script" not in html
    assert html.count("<table") == html.count("</table>") == 1
    found = "".join(ElementTree.fromstring(html).itertext())
    assert found.count(HOSTILE) >= 3


def test_a_shell_of_python_shows_one_line_and_print_the_screen(altered: Report) -> None:
    assert repr(altered).startswith(f"<Report of {altered.created}: {altered.model.provenance}, 1 x ")
    assert repr(altered).endswith(
        f" tokens, {len(altered.runtimes)} runtimes, rounding>".replace("tokens", altered.token_word)
    )
    assert "\n" not in repr(altered)
    assert len(repr(altered)) < 250
    lines = [line.rstrip() for line in screen_of(altered).splitlines()]
    assert str(altered).splitlines() == lines

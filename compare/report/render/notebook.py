"""The screen of a report as HTML, for a notebook. It has neither colours nor a script of its own."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from compare.report.formatting import Table
from compare.report.render.layout import extends
from compare.report.schema import Report
from compare.report.screen import screen
from export.printing import printable


def to_html(report: Report) -> str:
    """Return the screen of a report as a fragment of HTML. All text is `printable`, and escaped by the serializer."""
    shown = screen(report)
    whole = Element("div")
    _paragraph(whole, ", ".join(shown.header), bold=True)
    for warning in shown.warnings:
        _paragraph(whole, f"NOTE: {warning}", bold=True)
    _add_table(whole, shown.table)
    _paragraph(whole, shown.table.notes)
    _paragraph(whole, " ".join((*shown.verdict, *shown.advice)), bold=True)
    for sentence in (*shown.quality, *shown.more):
        _paragraph(whole, sentence)
    return tostring(whole, encoding="unicode", method="html")


def _paragraph(parent: Element, text: str, *, bold: bool = False) -> None:
    """Append a paragraph, unless the text is empty."""
    if text:
        paragraph = SubElement(parent, "p")
        (SubElement(paragraph, "b") if bold else paragraph).text = printable(text)


def _add_table(parent: Element, table: Table) -> None:
    """Append a table. A cell that is followed by empty cells only extends over these."""
    whole = SubElement(parent, "table")
    _add_row(SubElement(whole, "thead"), table.columns, "th")
    body = SubElement(whole, "tbody")
    for row in table.rows:
        _add_row(body, row, "td")


def _add_row(parent: Element, cells: Sequence[str], tag: str) -> None:
    row = SubElement(parent, "tr")
    for at, cell in enumerate(cells):
        side = "left" if at <= 1 else "right"
        element = SubElement(row, tag, {"style": f"text-align: {side}"})
        element.text = printable(cell)
        if extends(cells, at):
            element.set("colspan", str(len(cells) - at))
            break

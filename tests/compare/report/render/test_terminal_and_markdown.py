"""Test that the terminal and Markdown show the same sections."""

from compare.report import captions
from compare.report.advice import answer
from compare.report.render.markdown import to_markdown
from compare.report.schema import Report
from compare.report.sections.registry import SECTIONS
from tests.helpers.reports import shown


def test_terminal_and_markdown_say_the_same(report: Report) -> None:
    terminal, markdown = " ".join(shown(report).split()), to_markdown(report, ("gap_by_layer.png",))
    for sentence in [captions.headline(report), *answer(report)]:
        assert " ".join(sentence.split()) in terminal
        assert sentence in markdown
    for section in SECTIONS:
        for table in section.tables(report):
            assert " ".join(table.title.split()) in terminal
            assert f"## {table.title}" in markdown
            assert " ".join(table.notes.split()) in terminal
            assert table.notes in markdown
            assert all(cell in terminal and cell in markdown for row in table.rows for cell in row)
        for sentence in section.sentences(report):
            assert " ".join(sentence.split()) in terminal
            assert f"- {sentence}" in markdown
    assert "![gap_by_layer.png](gap_by_layer.png)" in markdown


def test_markdown_has_every_tensor(report: Report) -> None:
    assert to_markdown(report).count("tensor by tensor") == 5
    assert "tensor by tensor" not in shown(report)


def test_the_provenance_and_notes_are_in_every_text(altered: Report) -> None:
    altered.notes = ["no hub answers and distilgpt2 is compared with RANDOM WEIGHTS"]
    for text in (shown(altered), to_markdown(altered)):
        assert altered.model.provenance in text
        assert "NOTE:" in text
        assert "RANDOM WEIGHTS" in text

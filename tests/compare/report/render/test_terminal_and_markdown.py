"""Test that the full report and Markdown show the same sections, and Markdown begins with the screen."""

from dataclasses import replace

from compare.report import captions
from compare.report.advice import answer
from compare.report.render.markdown import to_markdown
from compare.report.schema import Report
from compare.report.screen import screen
from compare.report.sections.registry import SECTIONS
from tests.helpers.reports import screen_of, shown


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
    assert to_markdown(report).count(", tensor by tensor") == 6
    assert "tensor by tensor" not in shown(report)


def test_the_provenance_and_notes_are_in_every_text(altered: Report) -> None:
    altered.notes = ["no hub answers and distilgpt2 is compared with RANDOM WEIGHTS"]
    for text in (shown(altered), to_markdown(altered)):
        assert altered.model.provenance in text
        assert "NOTE:" in text
        assert "RANDOM WEIGHTS" in text
    assert altered.model.provenance in screen_of(altered)


def test_markdown_begins_with_the_screen(report: Report) -> None:
    opening = to_markdown(report).partition("## ")[0]
    screen_shown = screen(report)
    assert ", ".join(screen_shown.header) in opening
    assert all(cell in opening for row in screen_shown.table.rows for cell in row)
    for sentence in (*screen_shown.verdict, *screen_shown.advice, *screen_shown.quality):
        assert sentence in opening


def test_markdown_of_many_layers_is_short_enough_for_a_comment(altered: Report) -> None:
    for runtime in altered.runtimes:
        gaps = {gap.tensor: gap for gap in runtime.gaps if "." in gap.tensor}
        for layer in range(2, 80):
            named = [(name.partition(".")[0], gap) for name, gap in gaps.items() if name.endswith(".1")]
            runtime.gaps += [replace(gap, tensor=f"{kind}.{layer}") for kind, gap in named]
    whole, cut = to_markdown(altered), to_markdown(altered, longest=65_000)
    assert len(whole) > 65_000 >= len(cut)
    assert "## torch-eager, tensor by tensor" in whole
    assert "## onnxruntime, tensor by tensor" not in cut
    assert "Left out, so that this text has at most 65,000 characters: " in cut
    assert cut.startswith(whole[: whole.index("## Largest gap of")])
    assert cut.endswith(captions.software(altered) + "\n")
    assert "Left out" not in to_markdown(altered, longest=len(whole) + 1000)

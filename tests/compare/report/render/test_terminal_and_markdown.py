"""Test that the full report and Markdown show the same sections, and Markdown begins with the screen."""

from dataclasses import replace

from compare.report import captions
from compare.report.advice import answer
from compare.report.render.markdown import print_report, to_markdown
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


def test_markdown_of_many_layers_is_short_enough_for_a_comment(altered: Report, capsys) -> None:
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
    assert captions.software(altered) in cut
    assert cut.count("<details>") == cut.count("</details>") == 3
    assert "Left out" not in to_markdown(altered, longest=len(whole) + 1000)
    print_report(altered)
    assert capsys.readouterr().out == cut


def test_markdown_unfolds_to_everything_below_the_screen(report: Report) -> None:
    screen_shown, *folded = to_markdown(report).split("<details>\n")
    assert [each.partition("\n")[0] for each in folded] == [
        f"<summary>{summary}</summary>" for summary in ("The answer in full", "Every tensor", "Software and command")
    ]
    assert all(each.partition("\n")[2].startswith("\n") and each.endswith("</details>\n\n") for each in folded)
    assert len(screen_shown) < 5_000
    assert "tensor by tensor" not in folded[0]
    assert "tensor by tensor" in folded[1]


def test_nothing_from_outside_ends_a_fold_or_a_cell(altered: Report) -> None:
    hostile = "</details> <!-- | \n\n# b"
    altered.model.provenance = altered.model.name = altered.runtimes[1].name = hostile
    altered.notes, altered.input.tokens = [hostile], [hostile] * len(altered.input.tokens)
    altered.command = f"python -m compare --text '```\n{hostile}'"
    markdown = to_markdown(altered)
    fenced = markdown.index("````text")
    assert markdown[:fenced].count("</details>") == 2
    assert "<!--" not in markdown[:fenced]
    assert markdown[fenced:] == f"````text\n{altered.command}\n````\n\n</details>\n\n"
    rows = [line for line in markdown[:fenced].splitlines() if line.startswith("| &lt;/details> ")]
    assert rows
    assert all(line.startswith("| &lt;/details> &lt;!-- \\| # b") for line in rows)


def test_the_command_is_in_the_full_report_and_in_markdown(altered: Report) -> None:
    altered.command = "python -m compare --text 'two  words'"
    assert shown(altered).rstrip().endswith("Made by: python -m compare --text 'two  words'")
    assert "Made by:\n\n```text\npython -m compare --text 'two  words'\n```\n" in to_markdown(altered)
    altered.command = f"python -m compare --text {'x' * 70_000}"
    assert "The command that made it has 70,025 characters; report.json has it." in to_markdown(altered)
    altered.command = None
    assert "Made by" not in shown(altered) + to_markdown(altered)
    altered.command = "a\x1b[2Jb\nc"
    assert "Made by: a\\x1b[2Jb c" in shown(altered)

"""A hostile report in every format: what it says is shown, and no terminal, Markdown or HTML takes it for its own."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from compare.cli.live import results_so_far
from compare.report.render import markdown, notebook, terminal
from compare.report.render.formats import Format, print_as
from compare.report.render.full import print_explanation
from compare.report.render.page.page import to_html
from compare.report.render.plots.figures import draw_figures, save_figures
from compare.report.schema import Report
from compare.report.serialized import as_json
from tests.helpers.commands import command, ran
from tests.helpers.figures import texts
from tests.helpers.hostile import HOSTILE, commands_in, hostile
from tests.helpers.reports import screen_of, shown
from tests.helpers.screens import CHANGES

#: A part of the hostile text as everything but JSON shows it.
SHOWN = "\\x1b]0;title\\x07\\x1b[31m # \\u202e[red]"

#: The same in JSON.
IN_JSON = "\\u001b]0;title\\u0007\\u001b[31m\\r\\n# \\u202e[red]"

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "PYTHONCOERCECLOCALE": "0"}


def without_scripts(page: str) -> str:
    """Return a page without its scripts, of which the plotting library has a character that is not shown."""
    return re.sub("<script>.*?</script>", "", page, flags=re.DOTALL)


@pytest.fixture
def bad(altered: Report, tmp_path: Path) -> Report:
    """A report with hostile texts, which has been written and read."""
    folder = tmp_path / "bad"
    assert altered.folder is not None
    shutil.copytree(altered.folder, folder, ignore=shutil.ignore_patterns("scratch", "traces"))
    hostile(altered).write(folder)
    return Report.read(folder)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("text", [HOSTILE, f"\udc80\ud83d{HOSTILE}"])
def test_no_text_of_it_commands_anything(altered: Report, change: Callable[[Report], None], text: str) -> None:
    change(altered)
    report = hostile(altered, text)
    page, fragment = without_scripts(to_html(report)), notebook.to_html(report)
    outputs = {
        "screen": screen_of(report, width=200),
        "narrow": screen_of(report, width=60),
        "full": shown(report),
        "text": terminal.as_text(report),
        "repr": repr(report),
        "markdown": markdown.to_markdown(report),
        "page": page,
        "notebook": fragment,
        "running": "\n".join(map(str, results_so_far(report.runtimes, report.latency, report.decoding, 200, "utf-8"))),
    }
    for name, output in outputs.items():
        assert not commands_in(output), name
        assert output.encode(), name
        if name != "narrow":
            assert SHOWN in " ".join(output.split()) or SHOWN in output.replace("\n", ""), name
    assert "<script>|" not in page + fragment + outputs["markdown"]
    assert "\n# \\u202e" not in outputs["markdown"]


def test_every_cell_of_markdown_stays_a_cell(altered: Report) -> None:
    """By the rules of GitHub's Markdown: a backslash escapes the punctuation after it, and other bars end a cell."""
    columns = 0
    for line in markdown.to_markdown(hostile(altered)).splitlines():
        cells = re.sub(r"\\[!-/:-@[-`{-~]", "", line).count("|") - 1
        columns = columns if line.startswith("|") and columns else cells
        assert not line.startswith("|") or cells == columns, line
        columns = columns if line.startswith("|") else 0
        assert "`" not in re.sub(r"\\`", "", line) or line.startswith(("```", "python", "Left out"))


@pytest.mark.parametrize("shape", Format)
def test_what_is_printed_shows_it(bad: Report, shape: Format, capsys) -> None:
    print_as(bad, shape)
    printed = capsys.readouterr().out
    assert not commands_in(without_scripts(printed))
    if shape in (Format.JSON, Format.PYTEST_BENCHMARK):
        assert IN_JSON in printed
        saved = json.loads(printed)
        if shape is Format.JSON:
            assert as_json(Report.model_validate(saved)) == as_json(bad)
    else:
        assert SHOWN in " ".join(printed.split())


def test_an_explanation_shows_it(bad: Report, capsys) -> None:
    for runtime in bad.runtimes:
        print_explanation(bad, runtime.name)
    printed = capsys.readouterr().out
    assert SHOWN in " ".join(printed.split())
    assert not commands_in(printed)


def test_figures_show_it(bad: Report, tmp_path: Path) -> None:
    figures = draw_figures(bad)
    for name, figure in figures.items():
        assert isinstance(figure, Figure)
        assert not commands_in(texts(figure)), name
    assert "U+001B]0;titleU+0007" in " ".join(map(texts, figures.values()))
    saved = save_figures(figures, tmp_path)
    for path in saved:
        assert not commands_in(path.name)
        if path.suffix == ".svg":
            assert not commands_in(path.read_text(encoding="utf-8"))


def test_commands_on_saved_reports_show_it(bad: Report, tmp_path: Path, monkeypatch, capfd) -> None:
    """Their arguments and the folder's name are hostile too, as far as a file system takes them."""
    name = HOSTILE.replace("/", "") + "\udcff"
    folder = tmp_path / "reports" / name
    folder.mkdir(parents=True)
    bad.write(folder)
    monkeypatch.setenv("ONNX_ATTENTION_COMPARE_CACHE", str(tmp_path))
    runtime = bad.runtimes[0].name
    for arguments in (
        ["list"],
        ["list", "--json"],
        ["show"],
        ["show", name, "--full"],
        ["show", name, "--quiet"],
        ["show", str(folder), "--explain", runtime],
        ["diff", name, name],
        ["diff", name, name, "--json"],
        ["remove", name, "--dry-run"],
    ):
        stdout, stderr = ran(arguments, monkeypatch, capfd)
        assert not commands_in(stdout + stderr), arguments
        assert "title" in stdout, arguments
    for arguments, code in ((["rejudge", name], 0), (["show", f"{name}x"], 2), (["show", "--explain", name], 2)):
        stdout, stderr = ran(arguments, monkeypatch, capfd, code)
        assert not commands_in(stdout + stderr), arguments
        assert "title" in stdout + stderr, arguments


@pytest.mark.parametrize("shape", ["terminal", "full", "markdown", "json", "html"])
def test_an_ascii_terminal_gets_ascii(bad: Report, shape: str) -> None:
    assert bad.folder is not None
    run = command("show", bad.folder, "--format", shape, **ASCII)
    assert (run.returncode, run.stderr) == (0, "")
    assert not commands_in(without_scripts(run.stdout))
    assert shape == "html" or run.stdout.isascii()
    assert "titl" in run.stdout


def test_ascii_columns_are_aligned(default_run: Report) -> None:
    run = command("show", **ASCII)
    assert run.stdout.isascii()
    rows = [line for line in run.stdout.splitlines() if " +-" in line]
    assert rows
    assert max(map(len, run.stdout.splitlines()[:20])) <= 80

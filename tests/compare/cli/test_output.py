"""What is printed: the newest report, the width, colours, --quiet, --version and shell completion."""

import errno
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from compare.cli.output import write_files
from compare.pipeline import dispatch
from compare.report.render.page import page
from compare.report.render.plots import figures
from compare.report.screen import screen
from export.errors import BadInput
from tests.helpers.commands import command, main


def test_the_version_is_that_of_the_package() -> None:
    assert command("--version").stdout == f"onnx-attention-compare {metadata.version('onnx-attention-compare')}\n"


def test_show_without_a_name_shows_the_newest_report(report, tmp_path: Path) -> None:
    for name, seconds in (("b", 1), ("a", 2)):
        folder = tmp_path / "reports" / name
        folder.mkdir(parents=True)
        report.model_copy(update={"notes": [f"the report {name}"]}).write(folder)
        os.utime(folder / "report.json", (seconds, seconds))
    run = command("show", ONNX_ATTENTION_COMPARE_CACHE=str(tmp_path), COLUMNS="200")
    assert "NOTE: the report a" in run.stdout
    assert run.stdout.endswith(f"Everything: python -m compare show --full\nReport: {tmp_path / 'reports' / 'a'}\n")


@pytest.mark.parametrize(("number", "error"), [(errno.ENOSPC, OSError), (errno.EACCES, BadInput)])
def test_a_page_that_cannot_be_written(number: int, error: type[Exception], own_report, monkeypatch) -> None:
    """A full disk is no wrong input: the command ends with 3 (`export.command.finish`)."""

    def save_page(_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(page, "save_page", save_page)
    monkeypatch.setattr(figures, "draw_figures", lambda _: {})
    with pytest.raises(error):
        write_files(own_report)


def test_the_width_is_that_of_columns_and_no_colour_is_in_a_pipe(report) -> None:
    for width in ("60", "80", "160"):
        lines = command("show", "--full", report.folder, COLUMNS=width).stdout.splitlines()
        assert int(width) - 20 < max(map(len, lines)) <= int(width)
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    forced, plain = (command("show", report.folder, **terminal, **more).stdout for more in ({}, {"NO_COLOR": "1"}))
    assert "\x1b[32m" in forced
    assert "\x1b[3" not in plain


def test_quiet_is_the_verdict_and_the_advice_alone(own_report, monkeypatch, capsys) -> None:
    monkeypatch.setattr(dispatch, "run_comparison", lambda _, settings, progress: progress.note("a note") or own_report)
    monkeypatch.setattr(sys, "argv", ["compare", "--model", "tiny", "--quiet"])
    with pytest.raises(SystemExit):
        main()
    stdout, stderr = capsys.readouterr()
    assert stdout.startswith("Same model: "), stderr
    shown = screen(own_report)
    assert stdout.splitlines() == [*shown.verdict, *shown.advice]
    assert stderr == ""


def test_completion_is_of_the_installed_command(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("onnx-attention-compare")
    if not script.exists():
        script = tmp_path / "onnx-attention-compare"
        script.write_text("from compare.__main__ import main; main()")
    environment = {
        "_ONNX_ATTENTION_COMPARE_COMPLETE": "complete_bash",
        "COMP_WORDS": f"{script} --ba",
        "COMP_CWORD": "1",
    }
    run = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert run.stdout.split() == ["--batch", "--baseline"], run.stderr

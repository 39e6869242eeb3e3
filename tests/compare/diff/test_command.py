"""python -m compare diff: its last line, its JSON and its exit codes."""

import json
from pathlib import Path

import pytest

from compare.report.schema import Report
from tests.helpers.commands import command
from tests.helpers.differences import runtime, verdict, with_turns


@pytest.fixture
def altered_folder(altered: Report, tmp_path: Path):
    """A function that writes a changed report to a new folder."""

    def write(report: Report, name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        report.write(folder)
        return folder

    return write


def test_the_command_ends_with_the_answer_and_its_code(report: Report, altered: Report, altered_folder) -> None:
    same = command("diff", report.folder, report.folder / "report.json")
    assert (same.returncode, same.stderr) == (0, "")
    assert same.stdout.splitlines()[-1].startswith("no regression: ")
    runtime(altered, "onnxruntime").verdict = verdict("broken")
    worse = command("diff", report.folder, altered_folder(altered, "newer"), COLUMNS="200")  # headings in one line
    assert (worse.returncode, worse.stderr) == (1, "")
    assert worse.stdout.splitlines()[-1] == "regression: onnxruntime was rounding and is broken: no logits"
    for cell in ("x rounding, A", "B / A [95 %]", "peak", "onnxruntime"):
        assert cell in worse.stdout


def test_json_is_the_difference_and_nothing_else(report: Report, altered: Report, altered_folder) -> None:
    slow = altered_folder(with_turns(report, seed=1, onnxruntime=1.5), "slow")
    run = command("diff", altered_folder(with_turns(report), "fast"), slow, "--json", "--fail-over", "20")
    assert run.returncode == 1
    plain = json.loads(run.stdout)
    assert plain["fail_over"] == 20
    assert [(part["runtime"], part["kind"]) for part in plain["regressions"]] == [("onnxruntime", "latency")]
    (row,) = (row for row in plain["latency"] if row["runtime"] == "onnxruntime")
    assert row["change"]["low"] > 1.2


def test_reports_that_cannot_be_compared_end_with_one_line_and_2(
    report: Report, altered: Report, altered_folder
) -> None:
    altered.quick = True
    run = command("diff", report.folder, altered_folder(altered, "quick"))
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("error: the two reports are of different extents: A of a whole run, B of a quick run")
    assert command("diff", report.folder, "/no/such/report").returncode == 2

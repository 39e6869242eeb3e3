"""python -m compare show and rejudge: a saved report in every format, explained, and judged under other limits."""

import json

from compare.report.schema import SCHEMA
from tests.helpers.commands import command


def test_show_renders_a_saved_report_in_every_format(report) -> None:
    terminal = command("show", report.folder)
    assert terminal.returncode == 0
    assert "Largest gap to golden" not in terminal.stdout
    assert "Largest gap to golden" in command("show", report.folder, "--full").stdout
    assert json.loads(command("show", report.folder, "--json").stdout)["schema_version"] == SCHEMA
    assert command("show", report.folder / "report.json", "--markdown").stdout.startswith("# tiny: gaps and latency")
    for name in ("full", "quiet", "json", "markdown"):
        short, long = (command("show", report.folder, *options) for options in ([f"--{name}"], ["--format", name]))
        assert (long.returncode, long.stdout) == (0, short.stdout)
    saved = json.loads(command("show", report.folder, "--format", "pytest-benchmark").stdout)
    assert [bench["name"].partition("[")[0] for bench in saved["benchmarks"]][:2] == [
        "torch-eager",
        "torch-eager-again",
    ]


def test_a_saved_report_is_judged_again_without_a_run(report) -> None:
    same = command("rejudge", report.folder)
    assert same.returncode == 0, same.stderr
    judged = [runtime for runtime in report.runtimes if runtime.verdict]
    assert same.stdout.count("same model: largest logit gap") == len(judged) >= 5
    strict = command("rejudge", report.folder, "--rounding", "0.01")
    assert strict.returncode == 1
    assert "onnxruntime  different from embedding on: " in strict.stdout
    assert "--rounding is 0; it must be a number" in command("rejudge", report.folder, "--rounding", "0").stderr


def test_a_verdict_is_explained_tensor_by_tensor(report) -> None:
    shown = command("show", report.folder, "--explain", "onnxruntime").stdout
    assert "onnxruntime: same model: nowhere more than" in shown
    for gap in report.runtimes[0].gaps:
        assert gap.tensor in shown
    assert "onnxruntime: same model where sequences are padded: nowhere more than" in " ".join(shown.split())
    marked = {line.split()[0] for line in shown.splitlines() if line.split()[1:2] == ["<-"]}
    assert 1 <= len(marked) <= 2  # of the text, and of the padded input
    wrong = command("show", report.folder, "--explain", "onnxruntim")
    assert (wrong.returncode, wrong.stderr) == (
        2, "error: the report has no runtime 'onnxruntim'; did you mean onnxruntime?\n"
    )  # fmt: skip

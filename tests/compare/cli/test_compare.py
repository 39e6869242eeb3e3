"""python -m compare: tables on stdout, progress on stderr, JSON alone if asked for, and notes in every output."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compare.pipeline import dispatch
from compare.report.render.pytest_benchmark import to_pytest_benchmark
from compare.report.schema import Report
from export.cache import MANIFEST
from export.sealed import SEAL
from tests.helpers.commands import command, main


def test_json_is_pure_and_complete(tiny_folder: Path, entry, tmp_path: Path) -> None:
    run = command("--model", tiny_folder, "--json", "--no-latency", "--text", "Hello", "--out", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    names = ["torch-eager", "torch-sdpa", "torch-reference", "numpy-reference", "onnxruntime", "optimum"]
    assert [runtime["name"] for runtime in report["runtimes"]] == names
    assert "golden: the model runs in float64" in run.stderr
    assert json.loads(Report.read(tmp_path / "out").model_dump_json()) == report
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"report.json", "report.md", "report.html", "maps.npz"} <= files
    assert {"gap_by_layer.png", "heads_onnxruntime.svg"} <= files


def test_the_screen_on_stdout_progress_on_stderr(tiny_folder: Path, entry, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = command("--model", tiny_folder, "--quick", "--time", 0.2, "--threads", 1, "--max-load", 100, "--out", out)
    assert run.returncode == 0, run.stderr
    assert max(map(len, run.stdout.partition("Everything")[0].splitlines())) <= 80
    assert "Same model: 2 of 2 runtimes." in run.stdout
    assert run.stdout.endswith(f"Everything: python -m compare show --full {out}\nPage: {out / 'report.html'}\n")
    full = command("show", "--full", out)
    assert "Largest gap to golden (float64)" in full.stdout
    assert "Latency of one forward pass" in full.stdout
    assert "\x1b[" not in run.stdout  # no colours into a pipe
    # Two runtimes, the A/A control, and two limits.
    assert "timing 5 processes in turns" in run.stderr
    report = Report.read(out)
    assert report.quick
    assert report.input.sequence == 32
    assert [runtime.name for runtime in report.runtimes] == ["torch-eager", "onnxruntime"]
    assert ", quick" in run.stdout
    assert "(quick: " in " ".join(full.stdout.split())
    assert "(quick: " in (out / "report.md").read_text()


def test_help_shows_the_options_in_panels_without_colours() -> None:
    run = command("--help", COLUMNS="80")
    assert run.returncode == 0
    assert "\x1b[" not in run.stdout
    lines = run.stdout.splitlines()
    assert max(map(len, lines)) < 80
    assert "..." not in run.stdout.partition("Commands:")[2]
    panels = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert panels == ["Input:", "Runtimes:", "Checks:", "Latency:", "Output:", "Options:", "Commands:"]
    assert "  python -m compare --model byte-gpt2 --quick " in run.stdout
    assert "GPT-2, Llama, Mistral, Qwen, Gemma" in " ".join(run.stdout.split())
    assert command("-h", COLUMNS="80").stdout == run.stdout


def test_a_comparison_is_printed_in_the_chosen_format(own_report, monkeypatch, capsys) -> None:
    """The comparison is replaced by a saved report, because other tests run it."""
    monkeypatch.setattr(dispatch, "run_comparison", lambda model, settings, progress: own_report)
    monkeypatch.setattr(sys, "argv", ["compare", "--model", "tiny", "--format", "pytest-benchmark"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == own_report.exit_code()
    assert json.loads(capsys.readouterr().out) == json.loads(to_pytest_benchmark(own_report))


@pytest.mark.slow
def test_a_folder_that_is_gone_runs_from_the_cache_alone(entry, tmp_path: Path) -> None:
    """The cache holds the export of a folder that no longer exists."""
    gone, copy = tmp_path / "gone" / "tiny", tmp_path / "models" / entry.folder.name
    shutil.copytree(entry.folder, copy)
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["source"]["origin"] = str(gone)
    del manifest[SEAL]  # of the content before
    (copy / MANIFEST).write_text(json.dumps(manifest))
    short = ["--offline", "--quick", "--no-latency", "--out", tmp_path / "out"]
    run = command("--model", gone, "--cache-dir", tmp_path, *short, HF_ENDPOINT="http://127.0.0.1:9")
    assert run.returncode == 0, run.stderr
    note = f"the folder tiny no longer exists; using its earlier export {entry.folder.name}"
    check_noted(run, tmp_path / "out", note)
    assert "folder tiny (sha256 " in run.stdout


def check_noted(run: subprocess.CompletedProcess[str], out: Path, note: str) -> None:
    """Check that a note is in the report, in report.md and in both outputs of a comparison."""
    assert note in Report.read(out).notes
    assert f"> **NOTE:** {note}" in (out / "report.md").read_text()
    for text in (run.stdout, run.stderr):
        assert f"NOTE: {note}" in " ".join(text.split())


@pytest.mark.slow
def test_unused_tensors_of_a_checkpoint_are_in_every_output(tiny_folder: Path, tmp_path: Path) -> None:
    """In the run that exports it, and in one that takes it from the cache."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_folder, tmp_path / "half")
    halves = {name: tensor.half() for name, tensor in load_file(folder / "model.safetensors").items()}
    halves["score.weight"] = torch.ones(2, 64, dtype=torch.float16)
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    for out in (tmp_path / "first", tmp_path / "again"):
        run = command("--model", folder, "--quick", "--no-latency", "--cache-dir", tmp_path / "cache", "--out", out)
        assert run.returncode == 0, run.stderr
        assert ("exporting half" in run.stderr) == (out.name == "first")
        check_noted(run, out, "the checkpoint's weights are float16; they were widened to float32, which is exact")
        check_noted(run, out, "the compared model does not use 1 tensor of the checkpoint: score.weight")

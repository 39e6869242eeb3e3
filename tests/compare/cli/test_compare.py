"""python -m compare: output where it belongs, exit codes, and one line for what a person can mend."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from compare.cli.app import main
from compare.pipeline import dispatch
from compare.report.render.pytest_benchmark import to_pytest_benchmark
from compare.report.schema import SCHEMA, Report
from compare.runtimes.registry import BUILT_IN
from export.cache import MANIFEST
from tests.helpers import fakes
from tests.helpers.commands import COMPARE, command, refused
from tests.helpers.processes import comes_true, gone


def test_json_is_pure_and_complete(tiny_folder: Path, entry, tmp_path: Path) -> None:
    run = command("--model", tiny_folder, "--json", "--no-latency", "--text", "Hello", "--out", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    names = ["torch-eager", "torch-sdpa", "torch-reference", "numpy-reference", "onnxruntime"]
    assert [runtime["name"] for runtime in report["runtimes"]] == names
    assert "golden: the model runs in float64" in run.stderr
    assert Report.read(tmp_path / "out").model_dump(mode="json") == report
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"report.json", "report.md", "maps.npz", "gap_by_layer.png", "heads_onnxruntime.png"} <= files


def test_tables_on_stdout_progress_on_stderr(tiny_folder: Path, entry, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = command("--model", tiny_folder, "--quick", "--time", 0.2, "--out", out)
    assert run.returncode == 0, run.stderr
    assert "Largest gap to golden (float64)" in run.stdout
    assert "Latency of one forward pass" in run.stdout
    assert f"report.json, report.md and 4 figures are in {out}" in run.stdout
    assert "\x1b[" not in run.stdout  # no colours into a pipe
    # Two runtimes, the A/A row, all taps exposed, the last position alone, and two limits of the machine.
    assert "timing 7 processes in turns" in run.stderr
    report = Report.read(out)
    assert report.quick
    assert report.input.sequence == 32
    assert [runtime.name for runtime in report.runtimes] == ["torch-eager", "onnxruntime"]
    assert "(quick: " in run.stdout
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


def test_show_renders_a_saved_report_in_every_format(report) -> None:
    terminal = command("show", report.folder)
    assert terminal.returncode == 0
    assert "Largest gap to golden" in terminal.stdout
    assert json.loads(command("show", report.folder, "--json").stdout)["schema_version"] == SCHEMA
    assert command("show", report.folder / "report.json", "--markdown").stdout.startswith("# tiny: gaps and latency")
    for name in ("json", "markdown"):
        short, long = (command("show", report.folder, *options) for options in ([f"--{name}"], ["--format", name]))
        assert (long.returncode, long.stdout) == (0, short.stdout)
    saved = json.loads(command("show", report.folder, "--format", "pytest-benchmark").stdout)
    assert [bench["name"].partition("[")[0] for bench in saved["benchmarks"]][:2] == [
        "torch-eager",
        "torch-eager-again",
    ]


def test_a_comparison_is_printed_in_the_format_asked_for(report, monkeypatch, capsys) -> None:
    """The comparison itself is another test's: this one is of what is made of its report."""
    monkeypatch.setattr(dispatch, "run_comparison", lambda model, settings, progress: report)
    monkeypatch.setattr(sys, "argv", ["compare", "--model", "tiny", "--format", "pytest-benchmark"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == report.exit_code()
    assert json.loads(capsys.readouterr().out) == json.loads(to_pytest_benchmark(report))


def test_a_saved_report_is_judged_again_without_a_run(report) -> None:
    same = command("rejudge", report.folder)
    assert same.returncode == 0, same.stderr
    assert same.stdout.count("same model: largest logit gap") == 5
    strict = command("rejudge", report.folder, "--rounding", "0.01")
    assert strict.returncode == 1
    assert "onnxruntime  different from embedding on: " in strict.stdout
    assert "--rounding is 0; it takes a number" in command("rejudge", report.folder, "--rounding", "0").stderr


def test_a_verdict_is_explained_tensor_by_tensor(report) -> None:
    shown = command("show", report.folder, "--explain", "onnxruntime").stdout
    assert "onnxruntime: same model: nowhere more than" in shown
    for gap in report.runtimes[0].gaps:
        assert gap.tensor in shown
    assert "onnxruntime: same model where sequences are padded: nowhere more than" in " ".join(shown.split())
    assert sum(line.split()[1:2] == ["<-"] for line in shown.splitlines()) == 2  # of the text, and of the padded input
    wrong = command("show", report.folder, "--explain", "onnxruntim")
    assert (wrong.returncode, wrong.stderr) == (
        2, "error: the report has no runtime 'onnxruntim'; did you mean onnxruntime?\n"
    )  # fmt: skip


def test_runtimes_lists_all_with_what_installs_the_missing(tmp_path: Path) -> None:
    fakes.install(tmp_path)
    run = command("runtimes", PYTHONPATH=str(tmp_path))
    assert run.returncode == 0
    lines = {line.split()[0]: line for line in run.stdout.splitlines()}
    assert {spec.name for spec in BUILT_IN} | {"absent"} <= set(lines)
    assert "missing no_such_package_9: pip install absent" in lines["absent"]
    assert " here " in lines["onnxruntime"]
    assert " hybrid " in lines["numpy-reference"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--bogus"], 2, "No such option: --bogus"),
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["--batch", "two"], 2, "Invalid value for '--batch': "),
        (["--batch", "0"], 2, "--batch is 0; it must be at least 1"),
        (["--sequence", "-3"], 2, "--sequence is -3; it must be at least 1"),
        (["--time", "-1"], 2, "--time is -1 seconds; it must be above 0"),
        (["--timeout", "0"], 2, "--timeout is 0 seconds; it must be above 0"),
        (["--min-rounds", "0"], 2, "--min-rounds is 0; it must be at least 1"),
        (["--max-load", "110"], 2, "--max-load is 110 %; it must be above 0 % and at most 100 %"),
        (["--precision", "0"], 2, "--precision is 0 %; it must be above 0"),
        (["--threads", "0"], 2, "--threads is 0; it must be at least 1"),
        (["--pin", "--threads", "5000"], 2, "--pin needs one CPU for each of 5000 threads, and this process may use "),
        (["--memory", "0"], 2, "--memory is 0 GB; it must be above 0"),
        (["--grid", "32"], 2, "--grid is '32'; it must be SEQUENCESxBATCHES, numbers of at least 1 separated"),
        (["--grid", "8x0"], 2, "--grid is '8x0'; it must be SEQUENCESxBATCHES"),
        (
            ["--onnx", "a.onnx", "--baseline", "b.onnx", "--grid", "8x1"],
            2,
            "--grid needs a model, whose tokenizer makes its inputs; leave out --grid or --baseline",
        ),
        (["--text", ""], 2, "the text is empty"),
        (["--text", "a", "--text-file", "b"], 2, "--text and --text-file exclude each other"),
        (["--text-file", "/no/such/file"], 2, "--text-file /no/such/file cannot be read: No such file or directory"),
        (["--runtimes", "onnxruntim"], 2, "unknown runtime 'onnxruntim'; did you mean onnxruntime?"),
        (["--runtimes", ","], 2, "--runtimes has no names"),
        (
            ["--runtimes", "optimum", "--no-latency"],
            3,
            "runtime optimum holds decode and nothing else, and decoding is off because latency is: ",
        ),
        (
            ["--runtimes", "onnxruntime,optimum", "--no-decode"],
            3,
            "and decoding is off: it would have no row",
        ),
        (["--out", "/proc/nowhere"], 2, "the folder /proc/nowhere cannot be written"),
        (["--model", ""], 2, "the model's name is empty"),
        (["--model", "/no/such/folder"], 2, "the model folder /no/such/folder does not exist"),
        (["--model", "distilgpt3", "--offline"], 3, "model 'distilgpt3' cannot be loaded: --offline was given"),
        (["--model", "distilgpt2", "--offline"], 3, "model 'distilbert/distilgpt2' cannot be loaded"),
        (["--grid", "8x1", "--no-latency"], 2, "--grid needs latency, which is off"),
        (["--no-latency", "--format", "pytest-benchmark"], 2, "--format pytest-benchmark holds nothing but times"),
        (["--fail-on", "diferent"], 2, "--fail-on is 'diferent'; did you mean different?"),
        (["--exporter", "optimun"], 2, "unknown exporter 'optimun'; did you mean optimum?"),
        (["--onnx", "a.onnx"], 2, "--onnx needs --model or --baseline to be compared with"),
        (["--baseline", "a.onnx"], 2, "--baseline needs --onnx, the ONNX file to compare with it"),
        (
            ["--onnx", "a", "--baseline", "b", "--model", "byte-gpt2"],
            2,
            "--onnx is compared with --model or with --baseline; leave one of the two out",
        ),
        (["--onnx", "a", "--baseline", "b", "--runtimes", "all"], 2, "--baseline needs no --runtimes"),
        (["--onnx", "a.onnx", "--baseline", "b.onnx"], 2, "the ONNX file a.onnx cannot be read: No such file"),
        (["--model", "byte-gpt2", "--onnx", "none.onnx"], 2, "the ONNX file none.onnx cannot be read: No such file"),
        (["rejudge", "/no/such/report"], 2, "no report at /no/such/report"),
        (["show", "/no/such/report"], 2, "no report at /no/such/report"),
        (["show"], 2, "Missing argument 'REPORT'"),
        (["show", "x", "--format", "yaml"], 2, "'yaml' is not one of 'terminal', 'json'"),
        (["show", "x", "--json", "--markdown"], 2, "--json and --markdown exclude each other"),
        (["--json", "--format", "json"], 2, "--json and --format json exclude each other"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], code: int, message: str, tmp_path: Path, monkeypatch, capfd
) -> None:
    monkeypatch.setenv("ONNX_ATTENTION_COMPARE_CACHE", str(tmp_path / "cache"))
    assert message.lower() in refused(arguments, code, monkeypatch, capfd).lower()
    assert not (tmp_path / "cache" / "models").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sequence", "65"], "--sequence asks for 65 tokens and the model has 64 positions"),
        (["--grid", "8,65x1"], "--grid asks for 65 tokens and the model has 64 positions; it must be 1 to 64"),
        (["--text", "x" * 70], "the text has 70 tokens and the model has 64 positions"),
    ],
)
def test_more_tokens_than_positions(
    entry, tiny_folder: Path, arguments: list[str], message: str, monkeypatch, capfd
) -> None:
    assert refused(["--model", str(tiny_folder), *arguments], 2, monkeypatch, capfd).startswith(f"error: {message}")


def test_a_folder_that_is_gone_runs_from_the_cache_alone(entry, tmp_path: Path) -> None:
    """The cache of someone whose folder, elsewhere, was the same model."""
    gone, copy = tmp_path / "gone" / "tiny", tmp_path / "models" / entry.folder.name
    shutil.copytree(entry.folder, copy)
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["source"]["origin"] = str(gone)
    (copy / MANIFEST).write_text(json.dumps(manifest))
    short = ["--offline", "--quick", "--no-latency", "--out", tmp_path / "out"]
    run = command("--model", gone, "--cache-dir", tmp_path, *short, HF_ENDPOINT="http://127.0.0.1:9")
    assert run.returncode == 0, run.stderr
    note = f"the folder tiny no longer exists; using its earlier export {entry.folder.name}"
    check_noted(run, tmp_path / "out", note)
    assert "folder tiny (sha256 " in run.stdout


def check_noted(run: subprocess.CompletedProcess[str], out: Path, note: str) -> None:
    """A note is wherever a comparison says anything."""
    assert note in Report.read(out).notes
    assert f"> **NOTE:** {note}" in (out / "report.md").read_text()
    for text in (run.stdout, run.stderr):
        assert f"NOTE: {note}" in " ".join(text.split())


def test_what_a_checkpoint_holds_beyond_the_compared_model_is_in_every_output(
    tiny_folder: Path, tmp_path: Path
) -> None:
    """Of the run that exports it, and of one that finds it in the cache."""
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


def test_a_classifier_is_refused(tiny, tmp_path: Path, monkeypatch, capfd) -> None:
    from transformers import GPT2ForSequenceClassification

    folder = tmp_path / "classifier"
    GPT2ForSequenceClassification(tiny().config).save_pretrained(folder)
    capfd.readouterr()
    said = refused(["--model", str(folder), "--cache-dir", str(tmp_path / "cache")], 2, monkeypatch, capfd)
    assert (
        "is a GPT2ForSequenceClassification, not a causal language model; as GPT2LMHeadModel it loses 1 tensor" in said
    )


def test_a_changed_byte_in_the_cache_is_one_line(tiny_folder: Path, entry, tmp_path: Path) -> None:
    shutil.copytree(entry.folder, tmp_path / "models" / entry.folder.name)
    weights = tmp_path / "models" / entry.folder.name / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 4
    weights.write_bytes(content)
    run = command("--model", tiny_folder, "--cache-dir", tmp_path)
    assert run.returncode == 2
    assert run.stderr.startswith(f"error: the cache entry {entry.folder.name} has changed since it was exported: ")
    assert run.stderr.count("\n") == 1
    assert weights.read_bytes() == bytes(content)


def test_a_damaged_manifest_is_one_line(tiny_folder: Path, entry, tmp_path: Path, monkeypatch, capfd) -> None:
    copy = shutil.copytree(entry.folder, tmp_path / "models" / entry.folder.name)
    (copy / MANIFEST).write_text('{"another": "JSON"}')
    arguments = ["--model", str(tiny_folder), "--cache-dir", str(tmp_path)]
    said = refused(arguments, 2, monkeypatch, capfd)
    assert f"the cache entry {copy.name} has changed since it was exported: manifest.json cannot be read" in said
    assert said.endswith(f"python -m export --remove {copy.name}\n")


def test_nobody_is_left_of_a_comparison_that_was_killed(tiny_folder: Path, entry, tmp_path: Path) -> None:
    """In the rounds, with a runtime that has helpers in sessions of their own, one of them nobody's child."""
    fakes.install(tmp_path)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    arguments = ["--model", str(tiny_folder), "--runtimes", "helped", "--time", "600", "--text", "Hello"]
    with subprocess.Popen(
        [*COMPARE, *arguments, "--out", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as run:
        assert run.stderr is not None
        try:
            next(line for line in run.stderr if line.startswith("rounds: timing"))
            family = psutil.Process(run.pid).children(recursive=True)
            assert sum("a helper" in member.cmdline() for member in family) == 2
        finally:
            run.kill()
    assert comes_true(lambda: gone(family))


@pytest.mark.parametrize(("reached", "processes"), [("traces: ", 5), ("rounds: timing", 5)])
def test_ctrl_c_ends_everything_with_130(
    tiny_folder: Path, entry, tmp_path: Path, reached: str, processes: int
) -> None:
    """Interrupted while the runtimes trace, and in the rounds, when all workers but one are stopped."""
    with subprocess.Popen(
        [*COMPARE, "--model", str(tiny_folder), "--quick", "--time", "600", "--out", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    ) as run:
        assert run.stderr is not None
        try:
            next(line for line in run.stderr if line.startswith(reached))
            root = psutil.Process(run.pid)
            assert comes_true(lambda: len(root.children(recursive=True)) >= processes)
            family = root.children(recursive=True)
            run.send_signal(signal.SIGINT)
            assert run.wait(timeout=20) == 130
        finally:
            run.kill()
        assert run.stderr.read().endswith("error: interrupted\n")
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    assert not (tmp_path / "out" / "scratch").exists()

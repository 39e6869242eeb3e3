"""Wrong input of python -m compare: one line that says what is wrong, and exit code 2 or 3."""

import shutil
from pathlib import Path

import pytest

from export.cache import MANIFEST
from tests.helpers.commands import command, refused


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
            "--grid needs a model, whose tokenizer makes the inputs; leave out --grid or --baseline",
        ),
        (["--text", ""], 2, "the text is empty"),
        (["--text", "a", "--text-file", "b"], 2, "--text and --text-file exclude each other"),
        (["--text-file", "/no/such/file"], 2, "--text-file /no/such/file cannot be read: No such file or directory"),
        (["--runtimes", "onnxruntim"], 2, "unknown runtime 'onnxruntim'; did you mean onnxruntime or "),
        (["--runtimes", ","], 2, "--runtimes has no names"),
        (["--device", "gpu"], 2, "--device is 'gpu'; it must be cpu or cuda"),
        (["--option", "spinning=0"], 2, "--option is 'spinning=0'; it must be RUNTIME.KEY=VALUE, such as "),
        (["--option", "a.b=1", "--option", "a.b=2"], 2, "--option a.b is given twice, with '1' and '2'"),
        (
            ["--option", "onnxruntim.session.x=0"],
            2,
            "--option: the comparison has no row 'onnxruntim'; did you mean onnxruntime?",
        ),
        (["--option", "optimum.x=0"], 2, "runtime optimum takes no options"),
        (
            ["--option", "torch-eager.matmul_precison=high"],
            2,
            "runtime torch-eager has no option 'matmul_precison'; did you mean matmul_precision?",
        ),
        (
            ["--option", "torch-eager.matmul_precision=hi"],
            2,
            "option matmul_precision of runtime torch-eager is 'hi'; did you mean high?",
        ),
        (
            ["--provider", "CUDExecutionProvider"],
            2,
            "--provider CUDExecutionProvider is no installed package or file of a plug-in, and ONNX Runtime has no ",
        ),
        (
            ["--provider", "AzureExecutionProvider"],
            2,
            "--provider AzureExecutionProvider cannot have a row: it sends requests to models on Azure",
        ),
        (
            ["--onnx", "a", "--baseline", "b", "--provider", "CPUExecutionProvider"],
            2,
            "--provider cannot be used with --baseline; set the option provider of the rows onnx-file and ",
        ),
        (["--out", "/proc/nowhere"], 2, "the folder /proc/nowhere cannot be written"),
        (["--model", ""], 2, "the model's name is empty"),
        (["--model", "/no/such/folder"], 2, "the model folder /no/such/folder does not exist"),
        (["--model", "distilgpt3", "--offline"], 3, "model 'distilgpt3' cannot be loaded: --offline was given"),
        (["--model", "byte-gtp2", "--offline"], 3, "or only partly; did you mean byte-gpt2? "),
        (["--model", "distilgpt2", "--offline"], 3, "model 'distilbert/distilgpt2' cannot be loaded"),
        (["--grid", "8x1", "--no-latency"], 2, "--grid needs latency, which is off"),
        (["--no-latency", "--format", "pytest-benchmark"], 2, "--format pytest-benchmark contains only times"),
        (["--fail-on", "diferent"], 2, "--fail-on is 'diferent'; did you mean different?"),
        (["--exporter", "optimun"], 2, "unknown exporter 'optimun'; did you mean optimum?"),
        (["--onnx", "a.onnx"], 2, "--onnx needs --model or --baseline, which names what to compare it with"),
        (["--baseline", "a.onnx"], 2, "--baseline needs --onnx, the ONNX file to compare with it"),
        (
            ["--onnx", "a", "--baseline", "b", "--model", "byte-gpt2"],
            2,
            "--model and --baseline exclude each other, because --onnx is compared with only one; leave one out",
        ),
        (["--onnx", "a", "--baseline", "b", "--runtimes", "all"], 2, "--runtimes cannot be used with --baseline"),
        (["--onnx", "a.onnx", "--baseline", "b.onnx"], 2, "the ONNX file a.onnx cannot be read: No such file"),
        (["--model", "byte-gpt2", "--onnx", "none.onnx"], 2, "the ONNX file none.onnx cannot be read: No such file"),
        (["rejudge", "/no/such/report"], 2, "no report at /no/such/report"),
        (["show", "/no/such/report"], 2, "no report at /no/such/report"),
        (["show", "nosuch"], 2, "no report 'nosuch'; python -m compare list lists the names"),
        (["diff", "nosuch", "nosuch"], 2, "no report 'nosuch'; python -m compare list lists the names"),
        (["show"], 2, "no report in "),
        (["remove"], 2, "nothing to remove was named; give NAME, --older-than AGE or --golden"),
        (["remove", "a", "--golden"], 2, "names exclude --older-than and --golden"),
        (["remove", "--older-than", "30"], 2, "--older-than is '30'; it must be a number and a unit, such as 30d"),
        (["remove", "nosuch"], 2, "no report 'nosuch' in "),
        (["rejudge"], 2, "Missing argument 'NAME'"),
        (["show", "x", "--format", "yaml"], 2, "'yaml' is not one of 'terminal', 'full'"),
        (["show", "x", "--json", "--markdown"], 2, "--json and --markdown exclude each other"),
        (["--json", "--format", "json"], 2, "--json and --format json exclude each other"),
        (["--full", "--quiet"], 2, "--full and --quiet exclude each other"),
        (["--quiet", "-v"], 2, "--quiet and --verbose exclude each other"),
        (["--explain", "onnxruntim"], 2, "the comparison has no runtime 'onnxruntim'; did you mean onnxruntime?"),
        (
            ["--explain", "numpy-reference", "--quick"],
            2,
            "the comparison has no runtime 'numpy-reference'; known: torch-eager, onnxruntime",
        ),
        (
            ["--explain", "onnx-fil", "--onnx", "a", "--baseline", "b"],
            2,
            "the comparison has no runtime 'onnx-fil'; did you mean onnx-file",
        ),
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
        (["--sequence", "65"], "--sequence asks for 65 tokens, but the model has 64 positions"),
        (["--grid", "8,65x1"], "--grid asks for 65 tokens, but the model has 64 positions; it must be 1 to 64"),
        (["--text", "x" * 70], "the text has 70 tokens, but the model has 64 positions"),
    ],
)
def test_more_tokens_than_positions(
    entry, tiny_folder: Path, arguments: list[str], message: str, monkeypatch, capfd
) -> None:
    assert refused(["--model", str(tiny_folder), *arguments], 2, monkeypatch, capfd).startswith(f"error: {message}")


def test_a_classifier_is_refused(tiny, tmp_path: Path, monkeypatch, capfd) -> None:
    from transformers import GPT2ForSequenceClassification

    folder = tmp_path / "classifier"
    GPT2ForSequenceClassification(tiny().config).save_pretrained(folder)
    capfd.readouterr()
    arguments = ["--model", str(folder), "--cache-dir", str(tmp_path / "cache")]
    said = refused(arguments, 2, monkeypatch, capfd, after="loading classifier\n")
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

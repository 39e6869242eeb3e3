"""Wrong input of python -m compare: one line that says what is wrong, and exit code 2 or 3."""

import shutil
from pathlib import Path

import pytest

from compare.machine import cores
from compare.pipeline.setting_checks import MOST_THREADS, THREADS_PER_CORE
from export.cache import MANIFEST
from tests.helpers.commands import command, refused

#: The most threads that can be asked for here.
MOST = max(MOST_THREADS, THREADS_PER_CORE * cores())


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
        (
            ["--pin", "--threads", str(MOST)],
            2,
            f"--pin needs one CPU for each of {MOST} threads, and this process may use ",
        ),
        (["--threads", "100000"], 2, f"--threads is 100000; it must be at most {MOST}"),
        (["--batch", "1000000000000"], 2, "--batch is 1000000000000; it must be at most 65536"),
        (["--time", "nan"], 2, "--time is nan seconds; it must be above 0"),
        (["--time", "inf"], 2, "--time is inf seconds; it must be at most 604,800"),
        (["--time", "1e300"], 2, "--time is 1e+300 seconds; it must be at most 604,800"),
        (["--timeout", "nan"], 2, "--timeout is nan seconds; it must be above 0"),
        (["--timeout", "inf"], 2, "--timeout is inf seconds; it must be at most 604,800"),
        (["--precision", "nan"], 2, "--precision is nan %; it must be above 0"),
        (["--precision", "inf"], 2, "--precision is inf %; it must be at most 100"),
        (["--memory", "nan"], 2, "--memory is nan GB; it must be above 0"),
        (["--memory", "inf"], 2, "--memory is inf GB; it must be at most 1,000,000"),
        (["--memory", "1e-9"], 2, "--memory is 1e-09 GB; a process takes at least 0.01"),
        (["--min-rounds", "1000000000000"], 2, "--min-rounds is 1000000000000; it must be at most 100000"),
        (["--seed", "-1"], 2, "--seed is -1; it must be at least 0"),
        (["--seed", "1" + "0" * 30], 2, "--seed is 1000000000000000000000000000000; it must be at most "),
        (["--max-load", "nan"], 2, "--max-load is nan %; it must be above 0 % and at most 100 %"),
        (["--grid", f"8x{','.join(map(str, range(1, 200)))}"], 2, "--grid has 199 shapes, and each is timed for as "),
        (["--grid", "9" * 20000], 2, "... (20,000 characters); it must be SEQUENCESxBATCHES"),
        (["--runtimes", ",".join(map(str, range(2000)))], 2, "--runtimes has 2,000 values; at most 1,000 are allowed"),
        (["--runtimes", "x" * 300], 2, "--runtimes cannot be 'xxx"),
        (["--runtimes", "a\udcff"], 2, "--runtimes cannot be 'a\\udcff': it is not UTF-8"),
        (["--provider", "__main__"], 2, "--provider __main__ is no installed package or file of a plug-in"),
        (["--provider", "x" * 300], 2, "--provider cannot be 'xxx"),
        (["--device", "\x1b[31m"], 2, "--device cannot be '\\x1b[31m': it has a control character"),
        (["--option", f"onnxruntime.a={'v' * 5000}"], 2, "it has 5,000 characters, and at most 4,096 are allowed"),
        (["--exporter", "\udcff"], 2, "--exporter cannot be '\\udcff': it is not UTF-8"),
        (["--explain", "\udcff"], 2, "--explain: the comparison has no runtime '\\udcff'"),
        (["--text", "\udcff"], 2, "the text is not valid Unicode: its character 1 is half of one"),
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
        (["--text-file", "/no/such/file"], 2, "the text /no/such/file cannot be read: it does not exist"),
        (["--text-file", "/dev/zero"], 2, "the text /dev/zero cannot be read: it is a device, not a regular file"),
        (["--text-file", "/"], 2, "the text / cannot be read: it is a folder, not a regular file"),
        (["--text-file", ""], 2, "--text-file is empty; name a path, or leave it out"),
        (["--out", ""], 2, "--out is empty; name a path, or leave it out"),
        (
            ["--out", "/dev/null"],
            2,
            "the folder /dev/null cannot be written to: it is not a folder; set --out to another",
        ),
        (
            ["--out", "/dev/null/x"],
            2,
            "the folder /dev/null/x cannot be written to: a part of its path is not a folder",
        ),
        (["--out", "x" * 300], 2, "cannot be written to: its name is too long"),
        (["--out", "x" * 5000], 2, "(5,000 characters), which is no path: it has 5,000 characters"),
        (["--out", "\udcff"], 2, "--out is '\\udcff', which is no path: it is not UTF-8"),
        (["--out", "~nobody-of-this-name/x"], 2, "and that home folder is not known; write the path without ~"),
        (["--cache-dir", ""], 2, "--cache-dir is empty; name a path, or leave it out"),
        (
            ["--cache-dir", "/dev/null"],
            2,
            "the cache cannot be in /dev/null: it is not a folder; set --cache-dir to another",
        ),
        (["list", "--cache-dir", "\udcff"], 2, "--cache-dir is '\\udcff', which is no path: it is not UTF-8"),
        (["show", "x" * 300], 2, "no report 'xxx"),
        (["show", "\udcff"], 2, "no report '\\udcff'"),
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
        (["--onnx", "a.onnx", "--baseline", "b.onnx"], 2, "the ONNX file a.onnx cannot be read: it does not exist"),
        (["--model", "byte-gpt2", "--onnx", "none.onnx"], 2, "the ONNX file none.onnx cannot be read: it does not "),
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

"""The command that made a report: it is in the report, and a shell that runs it gets the same arguments."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from compare import compare_attention_implementations
from compare.cli.arguments import typed_command
from compare.pipeline import dispatch
from compare.pipeline.settings import Settings
from compare.report.schema import Report
from export.models import MiniTransformer
from tests.helpers.commands import main

#: Arguments that a shell would split, expand or take for its own.
AWKWARD = ["--text", 'it\'s  "$HOME" `id` * \\ \n ü', "--option", "onnxruntime.session.x=a b", "--model", "a;b"]


def test_a_shell_gets_the_same_arguments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    arguments = [*AWKWARD, "--out", f"{tmp_path}/my folder/$x"]
    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    typed = typed_command()
    assert typed.startswith("python -m compare --text ")
    assert str(tmp_path) not in typed
    printing = typed.replace("python -m compare", "printf '%s\\0'", 1)
    run = subprocess.run(["bash", "-c", printing], capture_output=True, text=True, check=True)
    assert run.stdout.split("\0")[:-1] == arguments


def test_the_installed_command_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/onnx-attention-compare", "--quick"])
    assert typed_command() == "onnx-attention-compare --quick"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, own_report: Report) -> list[tuple[object, Settings]]:
    """The comparisons that are asked for, none of which runs."""
    comparisons: list[tuple[object, Settings]] = []
    monkeypatch.setattr(
        dispatch,
        "run_comparison",
        lambda model, settings, progress: comparisons.append((model, settings)) or own_report,
    )
    return comparisons


def test_the_command_of_a_report_asks_for_the_same_comparison(asked, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ["--quick", "--text", "it's", "--fail-on", "reduced precision", "--max-load", "10", "--quiet"]
    for _ in range(2):
        monkeypatch.setattr(sys, "argv", ["compare", *typed])
        with pytest.raises(SystemExit):
            main()
        typed = shlex.split(asked[-1][1].output.command)[3:]
    assert asked[0] == asked[1]
    assert asked[0][1].output.command == (
        "python -m compare --quick --text 'it'\"'\"'s' --fail-on 'reduced precision' --max-load 10 --quiet"
    )


def test_the_call_of_a_report_asks_for_the_same_comparison(asked) -> None:
    options = {"a": {"b": "c"}}
    compare_attention_implementations(
        "byte-gpt2", "it's", ["onnxruntime"], onnx=Path("x.onnx"), options=options, latency=False, max_load=0.1
    )
    call = asked[0][1].output.command
    assert call == (
        "compare_attention_implementations(model='byte-gpt2', text=\"it's\", runtimes=['onnxruntime'], "
        "onnx=Path('x.onnx'), options={'a': {'b': 'c'}}, latency=False, max_load=0.1)"
    )
    eval(call, {"compare_attention_implementations": compare_attention_implementations, "Path": Path})
    assert asked[0] == asked[1]
    compare_attention_implementations()
    assert asked[2][1].output.command == "compare_attention_implementations()"


def test_a_loaded_model_cannot_be_written(asked) -> None:
    compare_attention_implementations(MiniTransformer(object(), object(), object()), latency=False)
    assert asked[0][1].output.command is None

"""action.yml: its steps, run by the shell that GitHub runs them with, with inputs that a shell could misread."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from compare.report.schema import Report

ACTION = yaml.safe_load((Path(__file__).parents[1] / "action.yml").read_text())
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"]}

#: An expression that is the value of an input, of a step's output or of the action's folder.
_EXPRESSION = re.compile(r"\$\{\{ *(inputs|steps\.\w+\.outputs|github)\.([\w-]+)(?: *\|\| *'([^']*)')? *\}\}")

#: What a shell would run, split or expand.
AWKWARD = 'it\'s "two"  words; touch stray $(touch stray) `touch stray` $HOME * \\'

INSTALLED_COMMAND = f"""#!{sys.executable} -P
import sys
from compare.__main__ import main
sys.argv[0] = "onnx-attention-compare"
main()
"""


class Runner:
    """A machine of GitHub's: its folders and files, and how it runs a step of the action."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary, self.work = folder / "a temp", folder / "work"
        self.summary, self.output = folder / "summary.md", folder / "output"
        for each in (self.temporary, self.work):
            each.mkdir()
        self.output.touch()

    def run(self, step: str, inputs: dict[str, str], known: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a step. inputs: those that were given. known: other expressions and their values."""
        defaults = {name: facts["default"] for name, facts in ACTION["inputs"].items()}
        given = {f"inputs.{name}": value for name, value in (defaults | inputs).items()}
        values = {name: evaluated(value, given | known) for name, value in STEPS[step]["env"].items()}
        github = {"RUNNER_TEMP": self.temporary, "GITHUB_STEP_SUMMARY": self.summary, "GITHUB_OUTPUT": self.output}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", STEPS[step]["run"]],
            capture_output=True,
            text=True,
            cwd=self.work,
            env={**os.environ, **{name: str(path) for name, path in github.items()}, **values},
        )

    def outputs(self) -> dict[str, str]:
        """Return the outputs that steps have set."""
        return dict(line.split("=", 1) for line in self.output.read_text().splitlines())


def evaluated(value: str, known: dict[str, str]) -> str:
    """Return the value of a variable, which is one expression."""
    found = _EXPRESSION.fullmatch(value)
    assert found, value
    return known.get(f"{found[1]}.{found[2]}", "") or found[3] or ""


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """What the step `install` gives the step `compare`: a folder with this project's command and its Python."""
    folder = tmp_path / "an installation" / "bin"
    folder.mkdir(parents=True)
    scripts = {"python": f'#!/bin/sh\nexec {sys.executable} "$@"\n', "onnx-attention-compare": INSTALLED_COMMAND}
    for name, script in scripts.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    return {"steps.install.outputs.folder": str(folder.parent)}


def test_no_input_is_written_into_the_shell() -> None:
    for step in STEPS.values():
        assert "${{" not in step.get("run", "")
    used = {found[2] for step in STEPS.values() for found in _EXPRESSION.finditer(str(step)) if found[1] == "inputs"}
    assert used == ACTION["inputs"].keys()


def test_outputs_are_those_that_the_last_step_sets() -> None:
    for name, facts in ACTION["outputs"].items():
        assert facts["value"] == f"${{{{ steps.compare.outputs.{name} }}}}"
        assert f"{name}=%s" in STEPS["compare"]["run"]


def test_a_comparison_writes_the_summary_and_the_outputs(runner: Runner, installed: dict[str, str]) -> None:
    (runner.work / "compare.py").write_text("raise SystemExit('a module of the user')\n")
    inputs = {
        "model": "byte-gpt2",
        "runtimes": "torch-eager, onnxruntime",
        "options": f"--no-latency --quick --threads 1\n--text {quoted(AWKWARD)}",
    }
    run = runner.run("compare", inputs, installed)
    assert run.returncode == 0, run.stderr + run.stdout
    outputs = runner.outputs()
    assert (outputs["verdict"], outputs["exit-code"]) == ("rounding", "0")
    report = Report.read(Path(outputs["report"]))
    assert "".join(report.input.tokens).replace("·", " ")[:32] == AWKWARD[:32]
    assert report.command.startswith("onnx-attention-compare --fail-on=different --model=byte-gpt2 ")
    summary = runner.summary.read_text()
    assert summary.startswith("# byte-gpt2: gaps and latency across runtimes\n")
    assert "**Same model: 2 of 2 runtimes." in summary
    assert len(summary) <= 65_536
    assert not list(runner.folder.rglob("stray"))


def test_a_verdict_beyond_fail_on_fails_the_step(runner: Runner, installed: dict[str, str]) -> None:
    inputs = {"model": "byte-gpt2", "fail-on": "rounding", "options": "--no-latency --quick --threads 1"}
    run = runner.run("compare", inputs, installed)
    assert run.returncode == 1, run.stderr + run.stdout
    outputs = runner.outputs()
    assert (outputs["verdict"], outputs["exit-code"]) == ("rounding", "1")
    assert "Not trusted with --fail-on rounding" in runner.summary.read_text()
    assert (Path(outputs["report"]) / "report.md").is_file()


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"model": AWKWARD}, "error: "),
        ({"model": "--help"}, "error: "),
        ({"onnx": "no such.onnx"}, "error: --onnx needs --model or --baseline"),
        ({"onnx": "no such.onnx", "model": "byte-gpt2"}, "no such.onnx"),
        ({"runtimes": "onnxruntim"}, "error: unknown runtime 'onnxruntim'; did you mean onnxruntime"),
        ({"fail-on": "a b"}, "error: --fail-on is 'a b'; known: "),
    ],
)
def test_wrong_input_is_in_the_summary(
    runner: Runner, installed: dict[str, str], inputs: dict[str, str], said: str
) -> None:
    run = runner.run("compare", {"options": "--offline", **inputs}, installed)
    outputs = runner.outputs()
    assert run.returncode in (2, 3), run.stdout
    assert outputs == {"verdict": "", "report": "", "exit-code": str(run.returncode)}
    summary = runner.summary.read_text()
    assert summary.startswith("## The comparison did not run\n\n    ")
    assert said in summary
    assert not list(runner.folder.rglob("stray"))


def test_options_with_a_quote_that_does_not_end(runner: Runner, installed: dict[str, str]) -> None:
    run = runner.run("compare", {"options": "--text 'a"}, installed)
    assert (run.returncode, run.stderr) == (2, "error: options cannot be split into words: No closing quotation\n")


#: Stands for Python: it records its arguments, and makes a copy of itself where an environment is made.
PYTHON = """#!/usr/bin/env bash
printf '%s\\0' "$@" > "$0.$(date +%s%N)"
if [[ $2 == venv ]]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi
"""


@pytest.mark.parametrize("extras", ["", "engines,optimum"])
def test_the_package_is_installed_from_the_folder_of_the_action(runner: Runner, extras: str) -> None:
    python = runner.folder / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    packages = f"my-runtime ; python_version > '3'\n{AWKWARD}"
    known = {"steps.python.outputs.python-path": str(python), "github.action_path": "/the action"}
    run = runner.run("install", {"extras": extras, "packages": packages}, known)
    assert run.returncode == 0, run.stderr
    folder = Path(runner.outputs()["folder"])
    calls = [file.read_text().split("\0")[:-1] for file in sorted((folder / "bin").glob("python.*"))]
    options = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    source = "/the action[engines,optimum]" if extras else "/the action"
    assert calls == [
        [*options, "--index-url", "https://download.pytorch.org/whl/cpu", "torch"],
        [*options, source, "--requirement", str(folder / "requirements.txt")],
    ]
    assert (folder / "requirements.txt").read_text() == f"{packages}\n"
    assert not list(runner.folder.rglob("stray"))


def quoted(text: str) -> str:
    """Return a text in the quotes of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def test_the_check_can_fail(runner: Runner) -> None:
    """A shell that reads the text as code makes the file that the tests look for."""
    misread = AWKWARD.partition("words")[2].rstrip("\\")
    subprocess.run(["bash", "-c", f'echo "{misread}"'], cwd=runner.work, check=True)
    assert list(runner.folder.rglob("stray"))


def test_every_step_has_a_shell_or_an_action() -> None:
    steps: list[dict[str, Any]] = list(STEPS.values())
    assert all(step.get("shell") == "bash" if "run" in step else "uses" in step for step in steps)

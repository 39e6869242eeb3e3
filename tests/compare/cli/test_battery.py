"""Tests of `python -m compare battery`: stdout and stderr, exit codes, and errors in one line."""

import json

import pytest

from compare.battery.result import Battery
from tests.helpers.commands import command, refused


def test_tables_on_stdout_progress_on_stderr() -> None:
    run = command(
        "battery", "--kernels", "onnxruntime-mha,numpy-reference", "--cases", "plain,masked-rows", "--no-node-cases"
    )
    assert run.returncode == 0, run.stderr
    assert "kernel 2 of 2: numpy-reference\n" in run.stderr
    assert run.stdout.startswith("Attention alone, in units of rounding")
    assert run.stdout.splitlines()[1].split() == ["case", "onnxruntime-mha", "numpy-reference"]
    assert "broken: rows of no key" in run.stdout
    assert "onnxruntime-mha, masked-rows: broken: NaN in 24 of 24 rows that see no key, expected zeros" in run.stdout
    assert run.stdout.splitlines()[-1].startswith("3 of 4 cells are rounding (2 cases, 2 kernels, 0 cells not asked")


def test_json_is_pure_and_findings_fail_only_if_asked() -> None:
    chosen = ("battery", "--kernels", "onnxruntime-mha", "--cases", "masked-rows", "--no-node-cases", "--json")
    run = command(*chosen, "--seed", "3", "--fail-on", "different", "--threads", "1")
    assert run.returncode == 1
    found = Battery.model_validate_json(run.stdout)
    assert json.loads(run.stdout)["kernels"][0]["cells"][0]["kind"] == "broken"
    assert (found.seed, found.threads, found.cases[0].name) == (3, 1, "masked-rows")
    assert found.versions["numpy"]


def test_the_list_is_made_without_a_run() -> None:
    run = command("battery", "--list")
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert "kernel  torch-flash" in run.stdout
    assert "case    nan-mask" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kernels", "onnxruntim"], "unknown kernel 'onnxruntim'; did you mean onnxruntime"),
        (["--cases", "plane"], "unknown case 'plane'; did you mean plain?"),
        (["--kernels", ","], "--kernels has no names; leave it out for all; python -m compare battery --list lists"),
        (["--cases", " "], "--cases has no names; leave it out for all"),
        (["--seed", "-1"], "--seed is -1; it must be at least 0"),
        (["--threads", "0"], "--threads is 0; it must be at least 1"),
        (["--threads", "100000"], "--threads is 100000; it must be at most "),
        (["--fail-on", "diferent"], "--fail-on is 'diferent'; did you mean different?"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, monkeypatch, capfd) -> None:
    assert refused(["battery", *arguments], 2, monkeypatch, capfd).startswith(f"error: {message}")


@pytest.mark.slow
def test_the_whole_battery_holds_for_the_project_s_own_attention() -> None:
    run = command("battery", "--json")
    assert run.returncode == 0, run.stderr
    found = Battery.model_validate_json(run.stdout)
    assert len(found.cells) == 28 * 8
    for kernel in found.kernels:
        assert kernel.nodes is not None
        assert kernel.nodes.asked + sum(kernel.nodes.not_asked.values()) == 186
        assert not any(cell.kind == "failed" for cell in kernel.cells)
        if "reference" in kernel.name or "streaming" in kernel.name:
            assert not [cell for cell in kernel.cells if cell.is_finding], kernel.name
        if "reference" in kernel.name:
            assert not kernel.nodes.wrong

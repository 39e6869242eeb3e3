"""Tests on distilgpt2's architecture in full size, 82 million parameters, for what tiny models cannot show."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compare.report.schema import Report
from compare.runtimes.registry import BUILT_IN

pytestmark = pytest.mark.slow

#: An address of the hub at which every connection fails immediately.
NO_NETWORK = {"HF_ENDPOINT": "http://127.0.0.1:9"}


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "compare", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **NO_NETWORK, **environment},
    )


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A run of `python -m compare --json` without a model name, a hub or latency."""
    out = tmp_path_factory.mktemp("default") / "out"
    run = command("--json", "--no-latency", "--out", out)
    assert run.returncode == 0, run.stderr
    return run


def test_without_a_hub_the_stand_in_is_said_loudly(default_run) -> None:
    assert "RANDOM WEIGHTS" in default_run.stderr
    report = Report.model_validate_json(default_run.stdout)
    assert report.model.name == "distilgpt2-seeded"
    assert report.model.asked_for == "distilgpt2"
    assert not report.model.trained
    assert "RANDOM WEIGHTS" in report.notes[0]


def test_every_runtime_lies_within_the_limits(default_run) -> None:
    report = Report.model_validate_json(default_run.stdout)
    compared = [spec.name for spec in BUILT_IN if spec.default and "inspect" in spec.graphs]
    assert [runtime.name for runtime in report.runtimes] == compared
    assert (report.input.batch, report.input.sequence) == (1, 128)
    for runtime in report.runtimes:
        assert runtime.error is None
        assert runtime.largest("logits") <= 1e-4
        assert runtime.verdict.kind == "rounding"
        exposes = any(gap.exposed for gap in runtime.gaps if gap.tensor.startswith("attention"))
        assert runtime.above_diagonal() == (0 if exposes else None)
        assert exposes == (runtime.name != "optimum")
    assert report.ruler.worst <= 1e-12


def test_all_graphs_together_are_hardly_more_than_the_weights(default_run) -> None:
    report = Report.model_validate_json(default_run.stdout)
    assert report.model.parameters == 81_912_576
    assert report.model.graph_bytes <= 1.05 * 4 * report.model.parameters


def test_a_long_batch_stays_within_the_limits(tmp_path: Path) -> None:
    run = command(
        *("--json", "--no-latency", "--sequence", 512, "--batch", 2, "--runtimes", "onnxruntime", "--out", tmp_path)
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert report["ruler"]["worst"] <= 1e-12
    given = report["input"]
    assert (given["batch"], given["sequence"], given["padding"]) == (2, 512, 0)

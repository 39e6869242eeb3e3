"""Tests of the hand-over marker: the results in it, and the check that reports everything in it that has changed."""

import hashlib
import json
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import handoff, handoff_check
from benchmarks.handoff import NOTEBOOK, ROOT, Execution, File, Gaps, Marker, Model, Totals, graphs_of, read_results
from compare import __all__ as public_functions
from compare import machine
from compare.runtimes.registry import BUILT_IN

RESULTS = """<testsuites><testsuite>
<testcase classname="notebooks" name="notebooks/attention_comparison.ipynb" time="3.5">{}</testcase>
<testcase classname="tests.a" name="one" time="1.0"/>
<testcase classname="tests.a" name="two" time="1.0"><failure message="no"/></testcase>
<testcase classname="tests.a" name="three" time="0.5"><skipped/></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize(("outcome", "passed"), [("", True), ("<failure/>", False), ("<skipped/>", False)])
def test_totals_are_counted_and_failures_stay_visible(tmp_path: Path, outcome: str, passed: bool) -> None:
    (tmp_path / "tests.xml").write_text(RESULTS.format(outcome))
    totals, notebook = read_results(tmp_path / "tests.xml")
    assert (totals.total, totals.passed, totals.seconds) == (4, 1 + passed, 6.0)
    assert (notebook.passed, notebook.seconds) == (passed, 3.5)


def test_a_run_without_the_notebook_is_no_hand_over(tmp_path: Path) -> None:
    (tmp_path / "tests.xml").write_text("<testsuite><testcase name='one' time='1'/></testsuite>")
    with pytest.raises(ValueError, match=r"attention_comparison\.ipynb was not among the 1 tests that ran"):
        read_results(tmp_path / "tests.xml")


@pytest.fixture
def marker(entry, monkeypatch: pytest.MonkeyPatch) -> Marker:
    """A marker that matches this checkout, with the same export of the tiny model for every exporter."""
    monkeypatch.setattr(handoff_check, "exported", lambda name, exporter: entry)
    notebook = hashlib.sha256((ROOT / NOTEBOOK).read_bytes()).hexdigest()
    rounding = Gaps(largest={"logits": 1e-6}, ratio=None, error=None)
    graphs = graphs_of(entry)
    return Marker(
        created="2026-01-01T00:00:00+00:00",
        commit="0123456789ab",
        model=Model(asked_for="tiny", name="tiny", provenance="a folder", trained=False),
        graphs=[graphs.model_copy(update={"exporter": name}) for name in ("dynamo", "optimum")],
        runtimes={spec.name: rounding for spec in BUILT_IN if "inspect" in spec.graphs},
        notebook=Execution(path=str(NOTEBOOK), sha256=notebook, passed=True, seconds=1.0),
        functions=[f"compare.{name}" for name in public_functions],
        tests=Totals(total=2, passed=2, failed=0, skipped=0, seconds=1.0),
        versions={"python": platform.python_version(), **machine.package_versions()},
    )


def test_a_marker_that_fits_is_left_alone(marker: Marker) -> None:
    assert handoff_check.misfits(marker) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda m: setattr(m, "commit", "0123456789ab+"),
            "it was written from commit 0123456789ab+, which is unknown or has",
        ),
        (lambda m: setattr(m.tests, "passed", 1), "1 of 2 tests passed"),
        (lambda m: setattr(m.notebook, "path", "notebooks/gone.ipynb"), "there is no notebook notebooks/gone.ipynb"),
        (lambda m: setattr(m.notebook, "sha256", "0"), f"{NOTEBOOK} has changed since it was executed"),
        (lambda m: setattr(m.notebook, "passed", False), f"{NOTEBOOK} failed"),
        (lambda m: m.runtimes.pop("onnxruntime"), "it has no runtime onnxruntime"),
        (lambda m: setattr(m.runtimes["onnxruntime"], "error", "no"), "onnxruntime failed: no"),
        (lambda m: m.runtimes["torch-sdpa"].largest.clear(), "torch-sdpa has no gap of its logits"),
        (lambda m: m.functions.append("compare.gone"), "there is no function compare.gone"),
        (lambda m: m.functions.remove("compare.adapt_dimensions"), "it does not name compare.adapt_dimensions"),
        (lambda m: m.versions.update(onnx="1.0"), "onnx was 1.0 and is "),
        (lambda m: m.versions.update(gone="1.0"), "gone was 1.0 and is missing"),
        (lambda m: m.versions.update(python="3.0.1"), "python was 3.0 and is 3."),
        (lambda m: m.graphs.pop(), "it has no graphs of optimum"),
        (lambda m: setattr(m.graphs[1], "exporter", "other"), "there is no exporter other"),
        (lambda m: setattr(m.graphs[0], "opset", 1), "dynamo: the opset was 1 and is "),
        (lambda m: m.graphs[0].files.pop("decode.onnx"), "dynamo: it does not name decode.onnx"),
        (lambda m: m.graphs[0].files.update(gone=File(size=1, sha256="0")), "dynamo: there is no gone any more"),
        (lambda m: setattr(m.graphs[0].files["deploy.onnx"], "sha256", "0"), "dynamo: deploy.onnx has changed"),
    ],
)
def test_a_marker_that_does_not_fit_is_reported(marker: Marker, change: Callable[[Marker], object], said: str) -> None:
    altered = marker.model_copy(deep=True)
    change(altered)
    assert any(line.startswith(said) for line in handoff_check.misfits(altered))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, ".epic5_complete.json matches this checkout"),
        ({"functions": []}, "- it does not name compare.adapt_dimensions"),
        ({"schema_version": "one"}, "- it cannot be read: 1 validation error for Marker"),
        (None, "- it cannot be read: [Errno 2] No such file"),
    ],
)
def test_the_check_ends_with_1_and_names_the_command(
    marker: Marker, content: dict | None, said: str, tmp_path: Path, monkeypatch, capsys
) -> None:
    file = tmp_path / handoff.MARKER.name
    monkeypatch.setattr(handoff_check, "MARKER", file)
    if content is not None:
        file.write_text(json.dumps(marker.model_dump() | content))
    if content == {}:
        handoff_check.main()
        assert capsys.readouterr().out == f"{said}\n"
        return
    with pytest.raises(SystemExit) as ended:
        handoff_check.main()
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1
    assert first == ".epic5_complete.json does not match this checkout; write it again with: make handoff"
    assert second.startswith(said)

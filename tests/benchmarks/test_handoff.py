"""The hand-over marker: it holds what it promises, and what it names is there."""

import importlib
from pathlib import Path

import pytest

from benchmarks import handoff
from benchmarks.handoff import Marker, read_results


@pytest.fixture
def marker() -> Marker:
    return Marker.model_validate_json(handoff.MARKER.read_text())


def test_the_marker_names_functions_and_a_notebook_that_exist(marker: Marker) -> None:
    assert (handoff.ROOT / marker.notebook.path).is_file()
    assert {"compare.load_mini_transformer", "compare.compare_attention_implementations"} <= set(marker.functions)
    assert {"compare.visualize_model_comparison", "compare.adapt_dimensions"} <= set(marker.functions)
    for function in marker.functions:
        module, _, name = function.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))


def test_the_marker_comes_from_a_whole_run(marker: Marker) -> None:
    assert marker.commit is not None
    assert not marker.commit.endswith("+")
    assert marker.tests.total == marker.tests.passed + marker.tests.failed + marker.tests.skipped
    assert marker.tests.total > 300
    assert {graphs.exporter for graphs in marker.graphs} == {"dynamo", "optimum"}
    for graphs in marker.graphs:
        assert {"inspect.onnx", "deploy.onnx", "deploy-last.onnx", "model.safetensors"} <= set(graphs.files)
    for runtime in ("torch-eager", "onnxruntime", "onnxruntime-dynamo"):
        assert marker.runtimes[runtime].error is None
        assert "logits" in marker.runtimes[runtime].largest
    assert {"python", "torch", "transformers", "onnx", "onnxruntime", "optimum", "numpy"} <= set(marker.versions)


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

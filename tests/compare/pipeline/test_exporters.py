"""Test that a second exporter adds a row with its graph, and a row that compares the two graphs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from compare.pipeline.compare_model import compare
from compare.pipeline.settings import Settings
from compare.report.schema import Report
from compare.report.sections import exporters, tensors
from export.errors import BadInput

pytestmark = pytest.mark.optimum


@pytest.fixture(scope="module")
def report(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    small = {"runtimes": ["onnxruntime"], "decode": False, "batch": 2, "sequence": 16, "time": 0.2, "threads": 1}
    out = tmp_path_factory.mktemp("report")
    return compare(str(tiny_folder), Settings.of(exporter="optimum", out=out, thorough=True, **small))


def test_both_graphs_have_a_row(report: Report) -> None:
    assert [runtime.name for runtime in report.runtimes] == ["torch-eager", "onnxruntime", "onnxruntime-dynamo"]
    assert [row.runtime for row in report.latency][-2:] == ["onnxruntime", "onnxruntime-dynamo"]
    assert all(report.beyond(runtime) is None for runtime in report.runtimes)
    assert report.exit_code() == 0
    assert report.model.exporter == "optimum"


def test_of_a_batch_all_is_judged_and_the_first_is_alone_in_the_last_variants(report: Report) -> None:
    assert report.input.batch == 2
    for row in report.self_gaps:
        assert row.verdict.kind == "rounding"
        assert {"again", "batch of 1", "8 of padding", "first half"} <= row.gaps.keys()
        assert max(row.gaps.values()) < 1e-4


def test_one_row_compares_the_two_graphs(report: Report) -> None:
    part = report.exporters
    assert part is not None
    assert (part.runtime, part.chosen, part.default) == ("onnxruntime", "optimum", "dynamo")
    assert set(part.gaps) == {"hidden_state", "attention", "logits"}
    assert all(gap < 1e-5 for gap in part.gaps.values())
    assert part.ratio is not None
    (table,) = exporters.tables(report)
    assert table.rows[0][0] == "optimum against dynamo"


def test_tensors_that_the_graph_does_not_expose_are_named(report: Report) -> None:
    expected = "onnxruntime does not expose query, key, value, context, mid state, so these are not compared."
    assert tensors.sentences(report) == [expected]


def test_one_exporter_alone_has_no_such_row(tiny_folder: Path, tmp_path: Path) -> None:
    alone = compare(str(tiny_folder), Settings.of(runtimes=[], latency=False, sequence=8, threads=1, out=tmp_path))
    assert alone.exporters is None
    assert exporters.tables(alone) == []


def test_the_renderers_show_it(report: Report) -> None:
    command = [sys.executable, "-m", "compare", "show", str(report.folder)]
    shown = subprocess.run([*command, "--full"], capture_output=True, text=True, check=True).stdout
    assert "Two exporters' graphs in onnxruntime" in shown
    assert "onnxruntime does not expose query" in shown
    markdown = subprocess.run([*command, "--markdown"], capture_output=True, text=True, check=True).stdout
    assert "| optimum against dynamo |" in markdown
    as_json = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    assert json.loads(as_json)["exporters"]["chosen"] == "optimum"


def test_an_unknown_exporter_is_refused_before_any_work(tiny_folder: Path) -> None:
    with pytest.raises(BadInput, match=r"unknown exporter 'optimun'; did you mean optimum\?"):
        compare(str(tiny_folder), Settings.of(exporter="optimun"))

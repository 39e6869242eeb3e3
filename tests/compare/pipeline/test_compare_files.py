"""Tests of comparing two ONNX files: equality bit for bit, the first tensor that differs, and broken files."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from compare.cli.app import app
from compare.pipeline.compare_files import compare_graphs
from compare.pipeline.settings import Settings
from compare.rejudge import rejudge
from compare.report.formatting import number
from compare.report.render.markdown import to_markdown
from compare.report.render.plots.figures import draw_figures
from compare.report.schema import Report
from compare.report.sections import pair, tensors
from compare.traces import Trace
from export.cache import Entry
from export.errors import BadInput, CannotRun


def held(file: Path, baseline: Path, out: Path, **more) -> Report:
    settings = Settings.of(
        text="To be, or not", time=0.1, min_rounds=3, threads=1, out=out, onnx=file, baseline=baseline, **more
    )
    return compare_graphs(settings)


def scaled(entry: Entry, path: Path, weight: str, by: float, graph: str = "deploy.onnx") -> Path:
    """Return a graph of the entry with one of its weights multiplied by a number."""
    model = onnx.load(entry.folder / graph)
    tensor = next(t for t in model.graph.initializer if t.name.endswith(weight))
    changed = (numpy_helper.to_array(tensor) * by).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def different(entry: Entry, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A comparison of the graph with one whose second MLP is wrong, with its traces."""
    folder = tmp_path_factory.mktemp("different")
    file = scaled(entry, folder / "scaled.onnx", "h.1.mlp.c_proj.bias", 1.5)
    return held(file, entry.folder / "deploy.onnx", folder / "out", fail_on="rounding", keep_traces=True)


def test_the_same_graph_is_identical(entry: Entry, tmp_path: Path) -> None:
    report = held(entry.folder / "inspect.onnx", entry.folder / "inspect.onnx", tmp_path, interference=True)
    row = report.runtimes[-1]
    assert row.verdict is not None
    assert row.verdict.kind == "identical"
    assert [part.runtime for part in report.interference] == [*["onnx-baseline"] * 2, "onnx-file"]
    assert all(len(part.beside.turns) >= 3 and part.error is None for part in report.interference)
    assert len(row.gaps) == 16
    assert all(gap.bitwise and gap.max == 0 for gap in row.gaps)
    assert (report.exit_code(), report.model, report.ruler) == (0, None, None)


def test_the_first_tensor_that_differs_is_named_and_nothing_is_judged(different: Report) -> None:
    row = different.runtimes[-1]
    assert row.verdict is not None
    assert (row.verdict.kind, row.verdict.tensor) == ("not judged", "hidden_state.2")
    assert row.verdict.sentence.startswith(
        "not judged: the first to differ is hidden_state.2 (layer 1, norm and MLP), by "
    )
    bitwise = {gap.tensor: gap.bitwise for gap in row.gaps}
    assert [name for name, same in bitwise.items() if not same] == ["hidden_state.2", "logits"]
    assert different.exit_code() == 0  # --fail-on applies only to broken


def test_gaps_are_in_unit_roundoffs_of_the_tensors_size(different: Report) -> None:
    assert different.folder is not None
    mine, theirs = (
        Trace(different.folder / "scratch" / name)["hidden_state.2"] for name in ("onnx-file", "onnx-baseline")
    )
    gap = np.sqrt(np.mean((mine.astype(float) - theirs) ** 2)) / np.sqrt(np.mean(theirs.astype(float) ** 2))
    cells = next(row for row in pair.tables(different)[0].rows if row[0] == "hidden_state.2")
    assert cells[1:3] == ["no", number(gap * 2**24)]


def test_every_format_says_so_and_no_figure_says_golden(different: Report) -> None:
    assert different.folder is not None
    read = Report.read(different.folder)
    assert read == different
    text = to_markdown(read)
    assert text.startswith("# scaled.onnx against deploy.onnx: gaps and latency")
    assert "onnx-file is not judged: the first to differ is hidden_state.2" in text
    assert "golden" not in text
    assert draw_figures(read) == {}
    assert read.limits is None
    assert [row.runtime for row in read.latency] == ["onnx-baseline", "onnx-baseline", "onnx-file"]
    with pytest.raises(BadInput, match=r"scaled\.onnx against deploy\.onnx was compared without a model"):
        rejudge(read, 2.0)


def test_what_the_other_exposes_alone_is_listed(entry: Entry, tmp_path: Path) -> None:
    report = held(entry.folder / "deploy.onnx", entry.folder / "inspect.onnx", tmp_path, latency=False)
    assert (report.latency, report.self_gaps) == ([], [])
    assert "Nothing was timed, so no runtime is recommended" in to_markdown(report)
    hidden = [gap.tensor for gap in report.runtimes[-1].gaps if not gap.exposed]
    assert hidden == [f"{kind}.{i}" for i in range(2) for kind in ("query", "key", "value", "context")]
    assert "onnx-file does not expose query, key, value, context, so these are not compared." in tensors.sentences(
        report
    )


@pytest.mark.parametrize("fail_on", ["identical", "broken"])
def test_a_broken_graph_fails_the_run(entry: Entry, tmp_path: Path, fail_on: str) -> None:
    file = scaled(entry, tmp_path / "nan.onnx", "h.0.mlp.c_proj.bias", float("nan"))
    report = held(file, entry.folder / "deploy.onnx", tmp_path / "out", fail_on=fail_on)
    verdict = report.runtimes[-1].verdict
    assert verdict is not None
    assert verdict.sentence == "broken: hidden_state.1 has NaN where the baseline has none"
    assert report.exit_code() == 1


def test_logits_of_another_shape_are_broken(entry: Entry, tmp_path: Path) -> None:
    model = onnx.load(entry.folder / "deploy.onnx")
    head = next(node for node in model.graph.node if "logits" in node.output)
    head.output[0] = "whole"
    for name, value in (("starts", [0]), ("ends", [299]), ("axes", [2])):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    model.graph.node.append(helper.make_node("Slice", ["whole", "starts", "ends", "axes"], ["logits"]))
    model.graph.output[0].type.tensor_type.shape.dim[2].dim_value = 299
    onnx.save(model, tmp_path / "cut.onnx")
    report = held(tmp_path / "cut.onnx", entry.folder / "deploy.onnx", tmp_path / "out")
    verdict = report.runtimes[-1].verdict
    assert verdict is not None
    assert verdict.sentence == "broken: logits has shape (1, 13, 299), the baseline's (1, 13, 300)"
    assert report.exit_code() == 1


def unknown_operator(entry: Entry, path: Path) -> Path:
    model = onnx.load(entry.folder / "deploy.onnx")
    model.graph.node[-1].op_type = "NoSuchOperator"
    onnx.save(model, path)
    return path


def test_a_file_that_does_not_run_is_a_row_and_a_baseline_is_an_error(entry: Entry, tmp_path: Path) -> None:
    wrong = unknown_operator(entry, tmp_path / "wrong.onnx")
    report = held(wrong, entry.folder / "deploy.onnx", tmp_path / "out")
    assert report.runtimes[-1].error is not None
    assert "NoSuchOperator" in report.runtimes[-1].error
    assert report.exit_code() == 3
    with pytest.raises(CannotRun, match=r"the baseline .*wrong\.onnx does not run: .*NoSuchOperator"):
        held(entry.folder / "deploy.onnx", wrong, tmp_path / "other")
    assert not (tmp_path / "other" / "report.json").exists()


def test_either_file_is_refused_before_anything_is_written(entry: Entry, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no graph")
    good = entry.folder / "deploy.onnx"
    for file, baseline in ((good, tmp_path / "text.onnx"), (tmp_path / "text.onnx", good)):
        with pytest.raises(BadInput, match=r"text\.onnx \(8 bytes\) is not a complete ONNX graph"):
            held(file, baseline, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_from_the_command_line(entry: Entry, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = str(entry.folder / "deploy.onnx")
    arguments = ["--onnx", graph, "--baseline", graph, "--quick", "--time", "0.1", "--out", str(tmp_path)]
    assert app(arguments, standalone_mode=False) == 0
    assert "onnx-file is identical: bit for bit the baseline." in capsys.readouterr().out

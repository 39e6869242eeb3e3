"""Test which figures a report has, their texts, and that they show the report's numbers."""

from pathlib import Path

import numpy as np
import pytest

from compare import visualize_model_comparison
from compare.report.render.plots import gap_by_layer, latency_against_gap
from compare.report.schema import Report

EXPOSING = ("torch-eager", "torch-sdpa", "torch-reference", "numpy-reference", "onnxruntime")
PAGES = {f"heads_{runtime}" for runtime in EXPOSING}


@pytest.fixture(scope="module")
def figures(report: Report):
    return visualize_model_comparison(report)


def texts(figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text")))


def test_all_figures_are_there_and_say_where_the_weights_come_from(figures, report: Report) -> None:
    assert set(figures) == {"gap_by_layer", "latency_against_gap"} | PAGES
    for figure in figures.values():
        assert report.model.provenance in texts(figure)


def test_they_are_written_where_asked_and_only_there(report: Report, tmp_path: Path) -> None:
    figures = visualize_model_comparison(report, out=tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == {f"{name}.png" for name in figures}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (tmp_path / "new").iterdir())


def test_lines_are_the_reports_gaps(report: Report) -> None:
    panel = gap_by_layer(report).axes[0]
    lines = {line.get_label(): line for line in panel.get_lines() if not line.get_label().startswith("_")}
    runtime = next(runtime for runtime in report.runtimes if runtime.name == "onnxruntime")
    expected = [gap.max for gap in runtime.gaps if gap.tensor.startswith("attention")]
    np.testing.assert_array_equal(lines["onnxruntime"].get_ydata(), expected)


def test_a_page_of_heads_shows_golden_the_runtime_and_their_difference(figures, report: Report) -> None:
    figure = figures["heads_onnxruntime"]
    images = [axes.get_images()[0] for axes in figure.axes if axes.get_images()]
    assert len(images) == 9
    golden, found, difference = (np.ma.getdata(image.get_array()) for image in images[:3])
    np.testing.assert_array_equal(difference, found - golden)
    np.testing.assert_allclose(golden.sum(-1), 1.0)
    words = texts(figure)
    assert "sharpest" in words
    assert all(token in words for token in report.input.tokens)


def test_figures_without_maps_and_without_times(report: Report) -> None:
    bare = Report.model_validate(report.model_dump())
    assert set(visualize_model_comparison(bare)) == {"gap_by_layer", "latency_against_gap"}
    for row in bare.latency:
        row.median_ms = None
    latency_against_gap(bare)


def test_something_above_the_diagonal_is_not_left_blank(report: Report, tmp_path: Path) -> None:
    with np.load(report.folder / "maps.npz") as stored:
        maps = dict(stored)
    maps["onnxruntime/0"] = maps["onnxruntime/0"].copy()
    maps["onnxruntime/0"][0, 5] = 0.5
    np.savez(tmp_path / "maps.npz", **maps)
    report.model_copy(deep=True).write(tmp_path)
    figure = visualize_model_comparison(Report.read(tmp_path))["heads_onnxruntime"]
    images = [axes.get_images()[0] for axes in figure.axes if axes.get_images()]
    assert not np.ma.getmaskarray(images[1].get_array())[0, 5]
    assert np.ma.getmaskarray(images[0].get_array())[0, 5]

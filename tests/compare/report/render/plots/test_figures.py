"""Test which figures a report has, that they have units and name their run, and that the same report gives the same
bytes."""

import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from compare import visualize_model_comparison
from compare.report.render.plots.figures import draw_figures, save_figures
from compare.report.schema import Report
from compare.results.latency import GridCell
from tests.helpers.figures import as_an_encoder, texts, title, with_failures, with_many_runtimes

SCHEMA_8 = Path(__file__).parents[2] / "schema_8.json"
EXPOSING = ("torch-eager", "torch-sdpa", "torch-reference", "numpy-reference", "onnxruntime")
PAGES = {f"heads_{runtime}" for runtime in EXPOSING}
DRAWN = {"gap_by_layer", "latency", "latency_against_gap"}

#: What is in the label of an axis with a number on it, and of one with layers, tokens or runtimes.
UNITS = ("(x rounding", "ms", "ratio", "layer", "query", "key", "length of a sequence")


def without_times(report: Report) -> None:
    report.latency, report.decoding, report.disturbance = [], [], None


def with_a_grid(report: Report) -> None:
    cells = [(8, 1), (16, 1), (8, 2)]
    report.grid = [GridCell(sequence=n, batch=batch, rounds=12, latency=report.latency) for n, batch in cells]


SHAPES: dict[str, tuple[Callable[[Report], None], set[str]]] = {
    "as it is": (lambda report: None, DRAWN),
    "a grid": (with_a_grid, DRAWN | {"latency_by_sequence"}),
    "an encoder": (as_an_encoder, DRAWN),
    "nothing timed": (without_times, {"gap_by_layer"}),
    "failures": (with_failures, DRAWN),
    "20 runtimes": (lambda report: with_many_runtimes(report, 20), DRAWN),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_report_of_every_shape_is_drawn_and_every_axis_has_a_unit(altered: Report, shape: str) -> None:
    change, expected = SHAPES[shape]
    change(altered)
    altered._folder = None  # so there are no pages of heads, which tests of their own draw
    figures = draw_figures(altered)
    assert set(figures) == expected
    for figure in figures.values():
        figure.canvas.draw()
        assert figure.axes
        for axes in figure.axes:
            assert any(unit in axes.get_xlabel() for unit in UNITS)
            assert any(unit in axes.get_ylabel() for unit in UNITS) or not axes.get_yticks().size


@pytest.mark.filterwarnings("error")
def test_an_old_report_is_drawn() -> None:
    figures = draw_figures(Report.read(SCHEMA_8))
    assert set(figures) == {"gap_by_layer", "latency"}  # nothing in it has a median
    assert "every turn disturbed" in texts(figures["latency"])
    assert "2026-11-26T16:41:30+00:00" in texts(figures["gap_by_layer"])


def test_all_figures_name_their_model_their_run_and_their_commit(report: Report) -> None:
    figures = draw_figures(report)
    assert set(figures) == DRAWN | PAGES
    assert report.run_id == report.folder.name
    for figure in figures.values():
        said = texts(figure)
        assert report.model.provenance in said
        assert f"run {report.run_id} · {report.created} · commit {report.environment.commit}" in said
        assert title(figure)


def test_the_same_report_gives_the_same_bytes_whatever_the_users_settings_are(report: Report, tmp_path: Path) -> None:
    saved = []
    for name, settings in (("one", {}), ("two", {"font.size": 20, "savefig.dpi": 30, "svg.hashsalt": "mine"})):
        folder = tmp_path / name
        folder.mkdir()
        with matplotlib.rc_context(settings):
            figures = draw_figures(Report.read(report.folder))
            kept = {key: figures[key] for key in (*DRAWN, "heads_onnxruntime")}
            paths = save_figures(kept, folder)
        assert {path.suffix for path in paths} == {".png"}
        saved.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert set(saved[0]) == {f"{name}.{kind}" for name in (*DRAWN, "heads_onnxruntime") for kind in ("png", "svg")}
    assert saved[0] == saved[1]
    assert all(content.startswith((b"\x89PNG", b"<?xml")) for content in saved[0].values())
    assert not any(b"<dc:date>" in content for content in saved[0].values())


def test_they_are_written_where_asked(report: Report, tmp_path: Path) -> None:
    figures = visualize_model_comparison(report, out=tmp_path / "new", layer=0, head=1)
    assert set(figures) == {f"layer0_head1_{runtime}" for runtime in EXPOSING}
    expected = {f"{name}.{kind}" for name in figures for kind in ("png", "svg")}
    assert {path.name for path in (tmp_path / "new").iterdir()} == expected


def test_a_prompt_and_names_that_the_font_does_not_have_are_drawn_without_a_warning(
    report: Report, tmp_path: Path
) -> None:
    copy = report.model_copy(deep=True)
    copy.model.provenance = "folder 模型 $x$ \u202e"
    copy.input.tokens = ["中", "a", "🙂", "b", "$a$", *copy.input.tokens[5:]]  # every second one is named
    with np.load(report.folder / "maps.npz") as stored:
        np.savez(tmp_path / "maps.npz", **stored)
    copy.write(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = draw_figures(copy)
        save_figures({name: figures[name] for name in ("gap_by_layer", "heads_onnxruntime")}, tmp_path)
    said = texts(figures["heads_onnxruntime"])
    assert "U+4E2D" in said
    assert "U+1F642" in said
    assert "folder U+6A21U+578B \\$x\\$ U+202E" in said

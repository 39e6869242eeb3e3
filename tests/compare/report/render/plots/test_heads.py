"""Test that pages of heads show the maps of the report, for the chosen heads and for any other."""

from pathlib import Path

import numpy as np
import pytest

from compare import visualize_model_comparison
from compare.report.head_maps import head_maps
from compare.report.render.plots.heads import named
from compare.report.schema import Report
from compare.traces import Trace
from export.errors import BadInput
from tests.helpers.figures import texts, title


def images(figure) -> list[np.ma.MaskedArray]:
    return [axes.get_images()[0].get_array() for axes in figure.axes if axes.get_images()]


def copied(report: Report, folder: Path, **changed: np.ndarray) -> Report:
    """Return a copy of a report in a folder, with other maps."""
    with np.load(report.folder / "maps.npz") as stored:
        np.savez(folder / "maps.npz", **{**stored, **changed})
    report.model_copy(deep=True).write(folder)
    return Report.read(folder)


def test_a_page_shows_golden_the_runtime_and_their_difference(report: Report) -> None:
    figure = visualize_model_comparison(report)["heads_onnxruntime"]
    drawn = images(figure)
    assert len(drawn) == 9
    golden, found, difference = (np.ma.getdata(image) for image in drawn[:3])
    np.testing.assert_allclose(found - golden, difference, atol=1e-12)
    np.testing.assert_allclose(golden.sum(-1), 1.0, atol=2e-3)
    said = texts(figure)
    assert "sharpest" in said
    assert title(figure).endswith(f"in 3 heads (all {report.input.sequence} bytes)")


def test_any_head_is_drawn_as_it_was_traced(report: Report) -> None:
    golden, run = (Trace(report.folder / "scratch" / name) for name in ("golden", "torch-eager"))
    for layer, head in ((0, 0), (1, 3)):
        figures = visualize_model_comparison(report, layer=layer, head=head)
        drawn = images(figures[f"layer{layer}_head{head}_torch-eager"])
        truth, found = (np.asarray(trace[f"attention.{layer}"][0, head], np.float64) for trace in (golden, run))
        np.testing.assert_allclose(np.ma.getdata(drawn[0]), truth, rtol=1e-3, atol=1e-7)
        largest = np.abs(found - truth).max()
        np.testing.assert_allclose(np.ma.getdata(drawn[2]), found - truth, atol=1e-3 * largest)


@pytest.mark.parametrize(
    ("asked_for", "message"),
    [
        ({"layer": 99, "head": 0}, "the model has no layer 99, head 0; its layers are 0 to {layers}, and the heads of"),
        ({"layer": 0, "head": 99}, "the model has no layer 0, head 99; .* the heads of each are 0 to {heads}"),
        ({"layer": 0, "head": -1}, "the model has no layer 0, head -1"),
        ({"layer": 1}, "layer=1 names no head without a head; give both"),
        ({"head": 1}, "head=1 names no head without a layer; give both"),
    ],
)
def test_a_head_that_does_not_exist(report: Report, asked_for: dict[str, int], message: str) -> None:
    there = {"layers": report.model.layers - 1, "heads": report.model.heads - 1}
    with pytest.raises(BadInput, match=message.format(**there)):
        visualize_model_comparison(report, **asked_for)


def test_a_report_without_maps_has_no_heads(altered: Report) -> None:
    altered._folder = None
    with pytest.raises(BadInput, match="the report has no attention, so it cannot show layer 0 head 1; compare again"):
        visualize_model_comparison(altered, layer=0, head=1)
    assert not any(name.startswith("heads_") for name in visualize_model_comparison(altered))


def test_a_report_from_before_all_heads_were_kept(report: Report, tmp_path: Path) -> None:
    with head_maps(report) as maps:
        known = [maps.of("onnxruntime", head.layer, head.head) for head in report.heads]
    arrays = {f"golden/{i}": head.golden for i, head in enumerate(known)}
    arrays |= {f"onnxruntime/{i}": head.run for i, head in enumerate(known)}
    np.savez(tmp_path / "maps.npz", **arrays)
    report.model_copy(deep=True).write(tmp_path)
    older = Report.read(tmp_path)
    (page,) = (figure for name, figure in visualize_model_comparison(older).items() if name.startswith("heads_"))
    np.testing.assert_array_equal(np.ma.getdata(images(page)[0]), known[0].golden)
    kept = {(head.layer, head.head) for head in report.heads}
    layer, head = next((n, m) for n in range(report.model.layers) for m in range(4) if (n, m) not in kept)
    with pytest.raises(
        BadInput, match=f"no attention of layer {layer}, head {head}, only of .*; compare again to keep"
    ):
        visualize_model_comparison(older, layer=layer, head=head)


def test_something_above_the_diagonal_is_not_left_blank(report: Report, tmp_path: Path) -> None:
    with np.load(report.folder / "maps.npz") as stored:
        changed = stored["onnxruntime/attention.0"].copy()
    changed[1, 0, 5] = 0.5
    figures = visualize_model_comparison(
        copied(report, tmp_path, **{"onnxruntime/attention.0": changed}), layer=0, head=1
    )
    golden, found, _ = (np.ma.getmaskarray(image) for image in images(figures["layer0_head1_onnxruntime"]))
    assert not found[0, 5]
    assert golden[0, 5]


def test_the_title_says_how_many_positions_are_shown_and_that_a_run_has_nan(report: Report, tmp_path: Path) -> None:
    with np.load(report.folder / "maps.npz") as stored:
        cut = {name: array[..., :8, :8] if array.ndim == 3 else array for name, array in stored.items()}
    cut["torch-eager/attention.0"][0, 2, 2] = np.nan
    np.savez(tmp_path / "maps.npz", **cut)
    report.model_copy(deep=True).write(tmp_path)
    figures = visualize_model_comparison(Report.read(tmp_path), layer=0, head=0)
    part = f"(the first 8 of {report.input.sequence} bytes)"
    assert title(figures["layer0_head0_onnxruntime"]).endswith(part)
    assert title(figures["layer0_head0_torch-eager"]).endswith(f"has NaN or infinity {part}")


def test_a_runtime_that_exposes_only_some_layers_has_only_their_heads(report: Report, tmp_path: Path) -> None:
    with np.load(report.folder / "maps.npz") as stored:
        kept = {name: array for name, array in stored.items() if not name.startswith("onnxruntime/attention.1")}
    np.savez(tmp_path / "maps.npz", **kept)
    report.model_copy(deep=True).write(tmp_path)
    older = Report.read(tmp_path)
    assert "layer0_head0_onnxruntime" in visualize_model_comparison(older, layer=0, head=0)
    assert "layer1_head0_onnxruntime" not in visualize_model_comparison(older, layer=1, head=0)


def test_tokens_are_named_so_that_they_can_be_read() -> None:
    assert named([f"t{i}" for i in range(3)]) == {0: "t0", 1: "t1", 2: "t2"}
    assert list(named(["x"] * 128)) == list(range(0, 128, 8))
    assert named(["x"] * 16 + ["a very long token indeed"])[16].startswith("16 a very")
    assert named(["x"] * 16 + ["a very long token indeed"])[16].endswith("…")

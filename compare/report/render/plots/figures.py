"""All figures of a report: which it has, and how they are saved."""

import re
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from compare.report.render.plots.gap_by_layer import gap_by_layer
from compare.report.render.plots.heads import head_pages
from compare.report.render.plots.latency import latency
from compare.report.render.plots.latency_against_gap import latency_against_gap, points_of
from compare.report.render.plots.latency_by_sequence import latency_by_sequence
from compare.report.render.plots.style import DPI, styled
from compare.report.schema import Report


def draw_figures(report: Report) -> dict[str, Figure]:
    """Return all figures of a report by name: gap by layer, latency, latency against gap, and pages of heads.

    Figures of latency need times, and latency by sequence needs a grid. There is a page of heads for each runtime that
    exposes its attention. A comparison of two ONNX files has no figures, because they are not compared with golden.
    """
    if report.model is None:
        return {}
    figures = {"gap_by_layer": gap_by_layer(report)}
    if report.latency:
        figures["latency"] = latency(report)
    if points_of(report):
        figures["latency_against_gap"] = latency_against_gap(report)
    if report.grid:
        figures["latency_by_sequence"] = latency_by_sequence(report)
    return figures | dict(head_pages(report))


@styled()
def save_figures(figures: Mapping[str, Figure], out: Path) -> list[Path]:
    """Write figures into a folder as NAME.png and NAME.svg, and return the paths of the PNG files.

    The same figures give the same bytes: the files contain no dates, and no versions of software.
    """
    paths = []
    for key, figure in figures.items():
        name = re.sub(r"[^\w.-]", "_", key)  # a runtime's name, which is in a key, may be no name of a file
        paths.append(out / f"{name}.png")
        figure.savefig(paths[-1], dpi=DPI, metadata={"Software": None})
        figure.savefig(out / f"{name}.svg", dpi=DPI, metadata={"Date": None, "Creator": None})
    return paths

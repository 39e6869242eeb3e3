"""Test that the figure of errors by layer shows the evidence, the limits and the verdicts."""

from dataclasses import replace

import numpy as np
import pytest

from compare.rejudge import rejudge
from compare.report.render.plots.gap_by_layer import LOWEST, apart, curve_of, gap_by_layer, place_of
from compare.report.render.plots.style import MOST_COLOURS
from compare.report.schema import Report
from compare.results.gaps import Multiples
from compare.results.runtimes import RuntimeResult
from tests.helpers.figures import texts, title, with_many_runtimes


def onnxruntime(report: Report) -> RuntimeResult:
    return next(runtime for runtime in report.runtimes if runtime.name == "onnxruntime")


def curves(axes) -> dict[str, np.ndarray]:
    return {line.get_label(): line.get_xydata() for line in axes.get_lines() if not line.get_label().startswith("_")}


def with_errors(report: Report, tensor: str, **errors: float) -> None:
    """Change the local errors of onnxruntime's tensor."""
    gaps = onnxruntime(report).gaps
    at = next(i for i, gap in enumerate(gaps) if gap.tensor == tensor)
    changed = replace(gaps[at].evidence.local, **errors)
    gaps[at] = replace(gaps[at], evidence=replace(gaps[at].evidence, local=changed))


def test_places_are_in_the_order_of_execution(report: Report) -> None:
    names = ("hidden_state.0", "query.0", "attention.0", "hidden_state.1", "query.1", "logits")
    assert [place_of(report, name) for name in names] == [0, 1, 1, 1, 2, report.model.layers + 1]


def test_curves_are_the_largest_errors_of_each_layer_in_floors(report: Report) -> None:
    above, below = gap_by_layer(report).axes
    for axes, which in ((above, "local"), (below, "accumulated")):
        shown = curves(axes)["onnxruntime"]
        assert list(shown[:, 0]) == list(range(report.model.layers + 2))
        for place, error in shown:
            gaps = [gap for gap in onnxruntime(report).gaps if place_of(report, gap.tensor) == place]
            errors = [getattr(gap.evidence, which) for gap in gaps if gap.evidence]
            assert error == pytest.approx(max([LOWEST, *(multiples.rms for multiples in errors if multiples)]))


def test_the_limits_are_those_of_the_verdicts(report: Report) -> None:
    def drawn(shown: Report) -> list[float]:
        return [
            line.get_ydata()[0]
            for axes in gap_by_layer(shown).axes
            for line in axes.get_lines()
            if line.get_label() == "_limit"
        ]

    assert drawn(report) == [2.0, 4.0]
    assert drawn(rejudge(report, 3.0)) == [3.0, 6.0]
    assert "limit 3 x" in texts(gap_by_layer(rejudge(report, 3.0)))


def test_the_title_says_the_verdict_and_no_more(altered: Report) -> None:
    assert title(gap_by_layer(altered)).startswith("Same model: ")
    assert "No error made in a layer is beyond its limit" in title(gap_by_layer(altered))
    with_errors(altered, "context.1", rms=57.0)
    wrong = onnxruntime(altered)
    wrong.verdict = replace(wrong.verdict, kind="different", tensor="context.1", place="layer 1, attention")
    figure = gap_by_layer(altered)
    assert "onnxruntime differs from layer 1, attention on." in title(figure)
    assert "No error" not in title(figure)
    assert "onnxruntime: different" in texts(figure)


def test_another_statistic_beyond_its_limit_is_marked_and_named(altered: Report) -> None:
    with_errors(altered, "context.1", slope=12.0)
    figure = gap_by_layer(altered)
    (marks,) = [line for line in figure.axes[0].get_lines() if line.get_label() == "_beyond"]
    assert list(marks.get_xdata()) == [2]
    assert "slope 12 x, limit 8 x" in texts(figure)
    assert "No error" not in title(figure)


def test_infinite_and_nan_errors_are_drawn_at_the_top(altered: Report) -> None:
    with_errors(altered, "context.0", rms=float("nan"))
    with_errors(altered, "context.1", rms=float("inf"))
    limits = Multiples(rms=2.0, max=4.0, channel=6.0, slope=8.0)
    assert [curve_of(altered, onnxruntime(altered), "local", limits).errors[place] for place in (1, 2)] == [np.inf] * 2
    axes = gap_by_layer(altered).axes[0]
    assert list(curves(axes)["onnxruntime"][1:3, 1]) == [axes.get_ylim()[1]] * 2


def test_many_runtimes_have_one_label_except_for_those_with_the_worst_verdicts(altered: Report) -> None:
    with_many_runtimes(altered, 20)
    measured = [runtime for runtime in altered.runtimes if runtime.gaps]
    assert len(apart(measured)) == MOST_COLOURS - 1
    assert altered.runtimes[-1].name in apart(measured)
    said = texts(gap_by_layer(altered))
    assert f"{len(measured) - MOST_COLOURS + 1} others: at most " in said
    assert f"{altered.runtimes[-1].name}: different" in said

"""Test that the figures of latency show every sample and the ratios of the report."""

import numpy as np
import pytest

from compare.report.render.plots.latency import latency
from compare.report.render.plots.latency_against_gap import MOST_LABELS, latency_against_gap, points_of
from compare.report.schema import Report
from compare.report.screen_sentences import advice
from compare.results.latency import LatencyRow, Ratio
from tests.helpers.figures import texts, title, with_failures, with_many_runtimes
from tests.helpers.screens import with_a_fault


def row_of(report: Report, name: str) -> LatencyRow:
    return next(row for row in report.latency if row.runtime == name and not row.again)


def faster(report: Report) -> None:
    row_of(report, "onnxruntime").ratio = Ratio(estimate=0.5, low=0.48, high=0.53)


def test_every_sample_is_drawn(altered: Report) -> None:
    row_of(altered, "onnxruntime").turns[3] = [2 * 10**6, 3 * 10**6]
    row_of(altered, "onnxruntime").disturbed = {4: [[7 * 10**6], [5 * 10**6]]}
    samples = latency(altered).axes[0]
    drawn = {mark: [] for mark in "ox"}
    for line in samples.get_lines():
        if line.get_marker() in drawn:
            drawn[line.get_marker()] += list(line.get_xdata())
    assert len(drawn["o"]) == sum(len(turn) for row in altered.latency for turn in row.turns.values())
    assert {2.0, 3.0} <= set(drawn["o"])
    assert sorted(drawn["x"]) == [5.0, 7.0]


def test_ratios_and_the_band_are_those_of_the_report(altered: Report) -> None:
    faster(altered)
    figure = latency(altered)
    ratios = figure.axes[1]
    (dot,) = [line for line in ratios.get_lines() if line.get_label() == "onnxruntime"]
    assert list(dot.get_xdata()) == [0.5]
    control = altered.latency[1].ratio
    band = ratios.patches[0].get_bbox()
    assert (band.x0, band.x1) == pytest.approx((control.low, control.high))
    assert "0.500 [0.480, 0.530]" in texts(figure)
    assert title(figure).startswith(advice(altered)[0][:40])


def test_decoding_is_a_second_group(altered: Report) -> None:
    assert len(latency(altered).axes) == 4
    altered.decoding = []
    assert len(latency(altered).axes) == 2


def test_what_failed_or_was_disturbed_says_so(altered: Report) -> None:
    with_failures(altered)
    said = texts(latency(altered))
    assert "failed: killed" in said
    assert "every turn disturbed" in said


def test_a_runtime_that_is_not_to_be_trusted_is_a_cross_and_not_on_the_front(altered: Report) -> None:
    faster(altered)
    assert "onnxruntime" in title(latency_against_gap(altered))
    with_a_fault(altered)
    figure = latency_against_gap(altered)
    assert "onnxruntime" not in title(figure)
    assert "onnxruntime, not to be trusted" in texts(figure)
    (point,) = [line for line in figure.axes[0].get_lines() if line.get_label() == "onnxruntime"]
    assert point.get_marker() == "X"
    (dot,) = [line for line in latency(altered).axes[1].get_lines() if line.get_label() == "onnxruntime"]
    assert dot.get_marker() == "X"


def test_a_time_that_is_not_measurable_is_hollow_and_claims_nothing(altered: Report) -> None:
    row_of(altered, "onnxruntime").ratio = Ratio(estimate=0.1, low=0.01, high=3.0)
    for figure in (latency(altered), latency_against_gap(altered)):
        (point,) = [line for axes in figure.axes[:2] for line in axes.get_lines() if line.get_label() == "onnxruntime"]
        assert point.get_markerfacecolor() == "white"
        assert "onnxruntime" not in title(figure)
        assert "not measurable" in texts(figure)


def test_points_are_errors_in_rounding_against_ratios(altered: Report) -> None:
    faster(altered)
    figure = latency_against_gap(altered)
    runtime = next(runtime for runtime in altered.runtimes if runtime.name == "onnxruntime")
    (point,) = [line for line in figure.axes[0].get_lines() if line.get_label() == "onnxruntime"]
    np.testing.assert_allclose(point.get_xydata(), [[0.5, runtime.in_rounding]])
    assert "without a time or an error: numpy-reference" in texts(figure)


def test_of_many_runtimes_those_that_matter_have_a_label(altered: Report) -> None:
    with_many_runtimes(altered, 20)
    figure = latency_against_gap(altered)
    assert len(points_of(altered)) > MOST_LABELS
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert "torch-eager" in labels
    assert f"{altered.runtimes[-1].name}, not to be trusted" in labels
    assert len(labels) <= MOST_LABELS + 1
    assert any(label.startswith("grey: ") for label in labels)

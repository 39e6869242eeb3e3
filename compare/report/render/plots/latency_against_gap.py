"""The figure of speed against error: which runtimes no other one beats in both."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from compare.report.measurability import why_not_measurable
from compare.report.recommendation import Choice, choices, front, time_is_known
from compare.report.render.plots import style
from compare.report.render.plots.labels import Pair, around
from compare.report.render.plots.style import Page, log_scale, look_of, styled
from compare.report.render.plots.text import drawable, shortened, width_of
from compare.report.schema import Report

#: The place and the size of the axes, in inches.
LEFT, WIDTH, HEIGHT = 0.85, 6.95, 4.0

#: The most runtimes that have a label: those on the front, the baseline and the untrusted ones, then the fastest.
MOST_LABELS = 10


@dataclass(frozen=True)
class Point:
    """A runtime: its choice, its error in floors of float32, and whether its time is measurable."""

    choice: Choice
    error: float
    known: bool


@styled()
def latency_against_gap(report: Report) -> Figure:
    """Draw time against error: a point for each runtime, and a line through the Pareto front.

    Times are ratios to the baseline's, with 95 % intervals. A cross marks a runtime that is not to be trusted, and a
    hollow mark a time that is not known to within a factor of two; neither can be on the front. The report must have a
    runtime with a time and an error (`points_of`).
    """
    points = points_of(report)
    best = front([point.choice for point in points if point.choice.trusted and point.known])
    page = Page(report, [_title(report, best)], HEIGHT + 0.75)
    axes = page.axes(LEFT, 0.1, WIDTH, HEIGHT)
    axes.set_xlabel(f"time of one pass over {drawable(report.latency[0].runtime)}'s (ratio; bar: 95 % interval)")
    axes.set_ylabel(f"largest {report.output_word} error (x rounding in float32)")
    _scales(axes, points)
    names = {choice.name for choice in best}
    steps = [(point.choice.time.estimate, point.error) for point in points if point.choice.name in names]
    if steps:
        axes.step(
            *zip(*sorted(steps), strict=True), where="post", color="#555555", lw=1, ls="--", zorder=1, label="_front"
        )
    _draw(axes, report, points, _labelled(report, points, names))
    absent = [runtime.name for runtime in report.runtimes if runtime.name not in {p.choice.name for p in points}]
    if absent:
        note = drawable(f"without a time or an error: {', '.join(absent)}")
        page.write(style.MARGIN, style.BOTTOM + 0.03, shortened(note, style.SMALL, WIDTH), style.SMALL)
    return page.figure


def points_of(report: Report) -> list[Point]:
    """Return the runtimes that have a time and an error above 0, which the axes can show."""
    points = []
    for choice in choices(report):
        error, time = choice.runtime.in_rounding, choice.time.estimate
        if error is not None and isfinite(error) and error > 0 and isfinite(time):
            points.append(Point(choice, error, time_is_known(choice, report)))
    return points


def _title(report: Report, best: Sequence[Choice]) -> str:
    """Return which runtimes are on the front, by their estimates; or why no time is measurable."""
    if why := why_not_measurable(report.latency, report.disturbance, report.time_s):
        return why
    if not best:
        return "No runtime that can be trusted has both a time and an error"
    names = ", ".join(choice.name for choice in best)
    if len(best) == 1:
        return f"{names} is the fastest and the most exact of the trusted runtimes with a known time"
    return f"The fastest for their error, of the trusted runtimes with a known time: {names}"


def _scales(axes: Axes, points: Sequence[Point]) -> None:
    """Set the limits and the scales of both axes."""
    times = [point.choice.time.estimate for point in points]
    times += [end for p in points if p.known for end in (p.choice.time.low, p.choice.time.high)]
    log_scale(axes.xaxis, 0.85 * min(times), 1.2 * max(times))
    errors = [point.error for point in points]
    log_scale(axes.yaxis, min(errors) / 3, max(errors) * 3)
    axes.axvline(1, color=style.QUIET, lw=0.8, zorder=0)
    if axes.get_ylim()[0] < 1 < axes.get_ylim()[1]:
        axes.axhline(1, color=style.QUIET, lw=0.8, zorder=0)


def _labelled(report: Report, points: Sequence[Point], names: set[str]) -> list[Point]:
    """Return the points that have a label. names: the runtimes on the front."""
    if len(points) <= MOST_LABELS:
        return list(points)
    first = [
        p
        for p in points
        if p.choice.name in names or p.choice.name == report.latency[0].runtime or not p.choice.trusted
    ]
    others = sorted((p for p in points if p not in first), key=lambda point: point.choice.time.estimate)
    return [*first, *others][:MOST_LABELS]


def _draw(axes: Axes, report: Report, points: Sequence[Point], labelled: Sequence[Point]) -> None:
    """Draw the points with their intervals, and labels that do not cover them."""
    places = [runtime.name for runtime in report.runtimes]
    for point in points:
        time, trusted = point.choice.time, point.choice.trusted
        colour, mark = look_of(places.index(point.choice.name)) if point in labelled else (style.QUIET, ".")
        if point.known:
            axes.plot([time.low, time.high], [point.error] * 2, color=colour, lw=1.2, label="_interval")
        inside = colour if point.known else "white"
        look = (style.ALARM, "X") if not trusted else (colour, mark)
        axes.plot(time.estimate, point.error, look[1], color=look[0], mfc=inside, ms=7, label=point.choice.name)
    texts = [_text(point) for point in labelled]
    sizes = [(width_of(text, style.TEXT) + 0.02, style.TEXT * style.LINE) for text in texts]
    corners = around(_inches(axes, labelled), sizes, (WIDTH, HEIGHT), _inches(axes, points))
    lines = []
    for (x, y), (left, bottom), (width, height), text in zip(
        _inches(axes, labelled), corners, sizes, texts, strict=True
    ):
        at = (left / WIDTH, (bottom + height / 2) / HEIGHT)
        axes.text(*at, text, va="center", fontsize=style.TEXT, transform=axes.transAxes)
        nearest = min(max(x, left), left + width), min(max(y, bottom), bottom + height)
        if abs(nearest[1] - y) > height:
            lines.append([(x / WIDTH, y / HEIGHT), (nearest[0] / WIDTH, nearest[1] / HEIGHT)])
    leaders = LineCollection(lines, colors=style.QUIET, linewidths=0.6, transform=axes.transAxes, zorder=0)
    axes.add_collection(leaders, autolim=False)
    notes = [f"grey: {rest} other runtimes"] if (rest := len(points) - len(labelled)) else []
    notes += ["hollow: time not measurable"] if any(not point.known for point in points) else []
    axes.text(0.99, 0.02, "; ".join(notes), ha="right", fontsize=style.TEXT, transform=axes.transAxes)


def _text(point: Point) -> str:
    """Return the label of a point: the runtime, its error, and what is to be said of it."""
    choice = point.choice
    verdict = choice.runtime.verdict
    notes = [] if choice.trusted else ["not to be trusted"]
    notes += [verdict.precision or ""] if verdict and verdict.kind == "reduced precision" else []
    return drawable(f"{choice.name}{''.join(f', {note}' for note in notes)}")


def _inches(axes: Axes, points: Sequence[Point]) -> list[Pair]:
    """Return where points are, in inches from the lower left corner of the axes."""
    to_axes = axes.transData + axes.transAxes.inverted()
    places = [to_axes.transform((point.choice.time.estimate, point.error)) for point in points]
    return [(float(x) * WIDTH, float(y) * HEIGHT) for x, y in places]

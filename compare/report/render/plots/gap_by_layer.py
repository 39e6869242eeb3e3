"""The figure of errors by layer, in units of rounding, with the limits of verdicts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compare.report import screen_sentences
from compare.report.formatting import times
from compare.report.render.plots import style
from compare.report.render.plots.style import Page, at_right, log_scale, look_of, styled
from compare.report.render.plots.text import drawable
from compare.report.schema import Report
from compare.results.gaps import Multiples, evidence_of
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import rank

#: The lowest error that is drawn, in floors; lower ones are drawn there.
LOWEST = 0.1

#: The widths of the axis at the left and of the labels at the right, and the height of a panel, in inches.
LEFT, RIGHT, HEIGHT = 0.85, 2.1, 2.3

#: The most layers that each have a tick.
MOST_TICKS = 16


@dataclass(frozen=True)
class Curve:
    """The errors of one runtime by place, for the tensor with the largest error in each place."""

    #: Place in the model (`place_of`) -> its root mean square in floors; infinite if it is NaN.
    errors: Mapping[int, float]
    #: Places with an error beyond a limit -> its statistic and limit in words; empty if it is the root mean square.
    beyond: Mapping[int, str]


@styled()
def gap_by_layer(report: Report) -> Figure:
    """Draw the error that each layer makes (above), and the error from golden up to it (below), for each runtime."""
    limits = report.verdict_limits
    panels = (
        ("Error made in each layer, from the layer's own inputs", "local", limits.local),
        ("Error from golden, made in all layers up to this one", "accumulated", limits.accumulated),
    )
    measured = [runtime for runtime in report.runtimes if runtime.gaps]
    own = any(runtime.verdict and runtime.verdict.own for runtime in measured)
    curves = {
        errors: {runtime.name: curve_of(report, runtime, errors, limit) for runtime in measured}
        for _, errors, limit in panels
    }
    page = Page(report, _title(report, curves["local"].values()), 2 * HEIGHT + 1.4)
    for i, (heading, errors, limit) in enumerate(panels):
        axes = page.axes(LEFT, 0.25 + i * (HEIGHT + 0.7), style.WIDTH - LEFT - RIGHT, HEIGHT)
        axes.set_title(heading)
        axes.set_ylabel(f"RMS error (x rounding{', each in its precision' if own else ''})")
        axes.set_xlabel("layer (its tensor with the largest error; x: another statistic is beyond its limit)")
        _draw(axes, report, measured, curves[errors], limit)
    return page.figure


def _title(report: Report, curves: Collection[Curve]) -> list[str]:
    """Return the verdict, and whether an error made in a layer is beyond a limit, in sentences."""
    said = screen_sentences.verdict(report)
    if any(curve.beyond for curve in curves) or not curves:
        lower = [r.name for r in report.runtimes if r.verdict and r.verdict.kind == "reduced precision"]
        reduced = [f"In reduced precision: {', '.join(lower)}."] if lower else []
        return [*said[:1], *reduced, *said[1:]] or ["No runtime has errors to show."]
    largest = max((error for curve in curves for error in curve.errors.values()), default=None)
    within = f"No error made in a layer is beyond its limit; the largest RMS is {times(largest)} rounding."
    return [*said[:2], *([] if largest is None else [within]), *said[2:]]


def curve_of(report: Report, runtime: RuntimeResult, errors: str, limits: Multiples) -> Curve:
    """Return the errors of a runtime by place. errors: "local" or "accumulated"."""
    worst: dict[int, float] = {}
    beyond: dict[int, str] = {}
    for tensor, found in evidence_of(runtime.gaps).items():
        multiples: Multiples | None = getattr(runtime.judged(found), errors)
        if multiples is None:
            continue
        place = place_of(report, tensor)
        worst[place] = max(worst.get(place, 0.0), inf if isnan(multiples.rms) else multiples.rms)
        if passed := multiples.beyond(limits):
            statistic = next(iter(passed))
            limit = getattr(limits, statistic)
            words = "" if "rms" in passed else f"{statistic} {times(passed[statistic])}, limit {limit:g} x"
            beyond[place] = beyond.get(place) or words
    return Curve(dict(sorted(worst.items())), beyond)


def place_of(report: Report, tensor: str) -> int:
    """Return the place of the segment that makes a tensor: 0 is the embedding, then the layers; the output is last."""
    assert report.model is not None
    kind, _, layer = tensor.partition(".")
    return int(layer) + (kind != "hidden_state") if layer else report.model.layers + 1


def apart(runtimes: Sequence[RuntimeResult]) -> list[str]:
    """Return the names of the runtimes that have a colour and a label: all, or those with the worst verdicts."""

    def badness(runtime: RuntimeResult) -> tuple[int, float]:
        verdict = runtime.verdict
        return (rank(verdict.kind), verdict.multiple or 0.0) if verdict else (-1, 0.0)

    if len(runtimes) <= style.MOST_COLOURS:
        return [runtime.name for runtime in runtimes]
    worst = sorted(runtimes, key=badness, reverse=True)[: style.MOST_COLOURS - 1]
    return [runtime.name for runtime in runtimes if runtime in worst]


def _draw(
    axes: Axes, report: Report, runtimes: Sequence[RuntimeResult], curves: Mapping[str, Curve], limits: Multiples
) -> None:
    """Draw one panel: its axes, its limit, its curves, and their labels."""
    assert report.model is not None
    last = report.model.layers + 1
    finite = [error for curve in curves.values() for error in curve.errors.values() if isfinite(error)]
    low, high = max(LOWEST, min([0.5, *(0.8 * e for e in finite)])), max([2.5 * limits.rms, *(1.6 * e for e in finite)])
    axes.set_xlim(-0.3, last + 0.3)
    log_scale(axes.yaxis, low, high)
    step = -(-report.model.layers // MOST_TICKS)
    layers = range(0, report.model.layers, step)
    names = ["embedding", *map(str, layers), "output"]
    axes.set_xticks([0, *(layer + 1 for layer in layers), last], names)
    axes.axhline(limits.rms, color=style.INK, lw=1, ls=(0, (5, 3)), label="_limit")
    limit = f"limit {limits.rms:g} x"
    axes.text(last + 0.25, 1.04 * limits.rms, limit, fontsize=style.TEXT, ha="right", va="bottom")
    labelled = apart(runtimes)
    ends: list[tuple[float, float, str, str]] = []
    others: list[tuple[float, float]] = []  # the largest error of each curve without a label, and the height of its end
    for runtime in runtimes:
        curve = curves[runtime.name]
        if not curve.errors:
            continue
        shown = {place: min(max(error, low), high) for place, error in curve.errors.items()}
        if runtime.name in labelled:
            colour, mark = look_of(labelled.index(runtime.name))
            ends.append((max(shown), shown[max(shown)], drawable(_label(runtime)), colour))
        else:
            colour, mark = style.QUIET, "."
            others.append((max(curve.errors.values()), shown[max(shown)]))
        axes.plot(list(shown), list(shown.values()), color=colour, marker=mark, ms=4, lw=1, label=runtime.name)
        _mark_beyond(axes, curve, shown)
    if others:
        text = f"{len(others)} others: at most {times(max(error for error, _ in others))}"
        ends.append((last, max(height for _, height in others), text, style.QUIET))
    at_right(axes, ends, RIGHT)


def _mark_beyond(axes: Axes, curve: Curve, shown: Mapping[int, float]) -> None:
    """Mark the places where a statistic is beyond its limit that the curve does not show, and name the first one."""
    places = sorted(place for place, words in curve.beyond.items() if words)
    if places:
        axes.plot(places, [shown[place] for place in places], "x", color=style.ALARM, ms=9, mew=1.5, label="_beyond")
        where = places[0], shown[places[0]]
        axes.annotate(curve.beyond[places[0]], where, (5, 5), textcoords="offset points", fontsize=style.SMALL)


def _label(runtime: RuntimeResult) -> str:
    """Return the label of a runtime: its name, and its verdict unless that is rounding."""
    verdict = runtime.verdict
    if verdict is None or verdict.kind in ("rounding", "identical"):
        return runtime.name
    if verdict.kind == "reduced precision":
        return f"{runtime.name}: {verdict.precision}"
    return f"{runtime.name}: {verdict.kind}{' where padded' if verdict.padded else ''}"

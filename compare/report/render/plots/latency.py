"""The figure of times: every sample, the medians, and the ratios to the baseline with their intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from compare.report import screen_sentences
from compare.report.formatting import NOT_MEASURABLE, interval, worker_name
from compare.report.measurability import control_ratio, faster, is_shown
from compare.report.render.plots import style
from compare.report.render.plots.style import Page, log_scale, styled
from compare.report.render.plots.text import drawable, shortened, widest
from compare.report.schema import Report
from compare.results.latency import LatencyRow, Ratio

#: An axis of times is logarithmic if the longest time is this many times the shortest.
WIDE = 10

#: The most ticks of a logarithmic axis, for which there is little room.
MOST_TICKS = 6

#: The height of a row, the largest width of the names, and the width of the texts at the right, in inches.
ROW, NAMES, TEXTS = 0.24, 1.75, 1.35

#: The share of the panels' width that samples have, and the space between panels, in inches.
SAMPLES, SPACE = 0.57, 0.25

#: The height of a group without its rows, in inches.
AROUND = 0.85

#: Mark, filled, and colour of a ratio, by what it says; the key below the figure lists them.
KEY = {
    "measurably faster": ("o", True, "#0072B2"),
    "not measurably faster": ("o", True, style.QUIET),
    NOT_MEASURABLE: ("o", False, style.QUIET),
    "not to be trusted": ("X", True, style.ALARM),
}


@dataclass(frozen=True)
class _Group:
    """What was timed, with its rows: the baseline first, then its A/A control."""

    heading: str
    rows: Sequence[LatencyRow]
    #: The runtimes that are not to be trusted.
    untrusted: set[str]


@styled()
def latency(report: Report) -> Figure:
    """Draw every sample with the medians (left), and each ratio to the baseline with its interval (right).

    There is one row for each runtime and the A/A control, and a second group of rows if decoding was timed.
    """
    groups = _groups(report)
    heights = [AROUND + ROW * len(group.rows) for group in groups]
    page = Page(report, _title(report), sum(heights) + 0.25)
    below = 0.0
    for group, height in zip(groups, heights, strict=True):
        _draw(page, group, below + 0.3)
        below += height
    _key(page)
    return page.figure


def _groups(report: Report) -> list[_Group]:
    encoder = report.output != "logits"
    shape = f"{report.input.batch} x {report.input.sequence} {report.token_word}"
    groups = [_Group(f"{'Pass' if encoder else 'Prefill'}, {shape}", report.latency, set(report.untrusted))]
    if report.decoding:
        wrong = {row.runtime for row in report.decoding if report.beyond(row)}
        groups.append(_Group("Step, one more token", report.decoding, set(report.untrusted) | wrong))
    return [group for group in groups if group.rows]


def _title(report: Report) -> list[str]:
    """Return the advice in sentences. It names a runtime only if that is measurably faster."""
    return screen_sentences.advice(report)


def _draw(page: Page, group: _Group, below: float) -> None:
    """Draw one group of rows. below: the distance of its panels from the title, in inches."""
    rows, height = group.rows, ROW * len(group.rows)
    names = [
        shortened(drawable(worker_name(row.runtime, again=row.again)), style.TEXT, NAMES - style.MARGIN) for row in rows
    ]
    start = style.MARGIN + widest(names, style.TEXT) + 0.06
    width = style.WIDTH - start - SPACE - TEXTS
    left = page.axes(start, below, SAMPLES * width, height)
    right = page.axes(start + SAMPLES * width + SPACE, below, (1 - SAMPLES) * width, height)
    for axes in (left, right):
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    left.set_title(group.heading)
    right.set_title(shortened(f"time over {drawable(rows[0].runtime)}'s", style.HEADING, (1 - SAMPLES) * width + TEXTS))
    for at, name in enumerate(names):
        where = left.get_yaxis_transform()
        left.text(-0.06 / (SAMPLES * width), at, name, ha="right", va="center", transform=where)
    _samples(left, rows)
    _ratios(right, group, (1 - SAMPLES) * width)


def _samples(axes: Axes, rows: Sequence[LatencyRow]) -> None:
    """Draw every sample in milliseconds, disturbed ones as crosses, and the median as a line."""
    counted = [_ms(row.turns.values()) for row in rows]
    disturbed = [_ms(turn for turns in row.disturbed.values() for turn in turns) for row in rows]
    times = np.concatenate([*counted, *disturbed])
    longest, shortest = times.max(initial=0.0) or 1.0, times[times > 0].min(initial=inf)
    if longest > WIDE * shortest:
        log_scale(axes.xaxis, 0.85 * shortest, 1.2 * longest, MOST_TICKS)
    else:
        axes.set_xlim(0, 1.05 * longest)
        axes.xaxis.set_major_locator(MaxNLocator(5))
    for at, (row, samples, others) in enumerate(zip(rows, counted, disturbed, strict=True)):
        for found, mark, size in ((samples, "o", 2.2), (others, "x", 3.0)):
            heights = at + 0.5 * (_evenly(len(found)) - 0.5)
            axes.plot(found, heights, mark, color="#6f6f6f", ms=size, mew=0.6, alpha=0.5, rasterized=True)
        if row.median_ms is not None:
            axes.plot([row.median_ms] * 2, [at - 0.36, at + 0.36], color=style.INK, lw=2)
    axes.set_xlabel("ms, every call (line: median; x: disturbed)")


def _ratios(axes: Axes, group: _Group, width: float) -> None:
    """Draw each ratio with its interval, the band of the A/A control, and the numbers at the right."""
    rows = group.rows
    control = control_ratio(rows)
    low, high = _limits([row.ratio for row in rows if row.ratio is not None])
    if high > WIDE * low:
        log_scale(axes.xaxis, low, high, MOST_TICKS)
    else:
        axes.set_xlim(low, high)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    if control is not None and control.measurable:
        axes.axvspan(control.low, control.high, color="#d9d9d9", lw=0, zorder=0)
    axes.axvline(1, color=style.INK, lw=0.8, zorder=1)
    for at, row in enumerate(rows):
        text = _words(row, rows)
        axes.text(1 + 0.06 / width, at, text, va="center", fontsize=style.TEXT, transform=axes.get_yaxis_transform())
        if row.ratio is None or row.error:
            continue
        mark, filled, colour = KEY[_says(row, group)]
        if is_shown(row, rows):
            axes.plot([row.ratio.low, row.ratio.high], [at, at], color=colour, lw=1.6)
        face = colour if filled else "white"
        axes.plot(row.ratio.estimate, at, mark, color=colour, mfc=face, ms=6, label=row.runtime)
    axes.set_xlabel("ratio, 95 % interval (band: A/A)")


def _says(row: LatencyRow, group: _Group) -> str:
    """Return which mark of the key a row has."""
    if row.runtime in group.untrusted and not row.again:
        return "not to be trusted"
    if not is_shown(row, group.rows):
        return NOT_MEASURABLE
    return "measurably faster" if not row.again and faster(row, group.rows) else "not measurably faster"


def _words(row: LatencyRow, rows: Sequence[LatencyRow]) -> str:
    """Write a row's ratio with its interval, or why it has none."""
    if row.error:
        return shortened(drawable(f"failed: {row.error}"), style.TEXT, TEXTS - 0.2)
    if row.median_ms is None:
        return "every turn disturbed" if row.disturbed else "not timed"
    if row is rows[0]:
        return "baseline"
    return interval(row.ratio) if is_shown(row, rows) else NOT_MEASURABLE


def _limits(ratios: Sequence[Ratio]) -> tuple[float, float]:
    """Return the limits of the axis of ratios. Intervals that are not measurable do not widen it."""
    known = [1.0, *(ratio.estimate for ratio in ratios)]
    known += [end for ratio in ratios if ratio.measurable for end in (ratio.low, ratio.high)]
    finite = [value for value in known if 0 < value < inf]
    if max(finite) > WIDE * min(finite):
        return 0.8 * min(finite), 1.25 * max(finite)
    space = 0.08 * (max(finite) - min(finite)) or 0.1
    return max(0.0, min(finite) - space), max(finite) + space


def _key(page: Page) -> None:
    """Explain the marks of ratios below the figure, from right to left."""
    right = style.WIDTH - style.MARGIN
    for words, (mark, filled, colour) in reversed(KEY.items()):
        right -= widest([words], style.TEXT)
        page.write(right, style.BOTTOM + 0.05, words, style.TEXT)
        right -= 0.12
        page.mark(right, style.BOTTOM + 0.1, mark, colour, colour if filled else "white")
        right -= 0.18


def _ms(turns: Iterable[Sequence[int]]) -> NDArray[np.float64]:
    """Return the samples of turns in milliseconds."""
    return np.array([sample for turn in turns for sample in turn], dtype=np.float64) / 1e6


def _evenly(count: int) -> NDArray[np.floating[Any]]:
    """Return numbers from 0 to 1 that spread samples of about the same time over the height of a row.

    They are multiples of the golden ratio, of which only the fraction counts, so neighbours are far apart.
    """
    return np.arange(count) * 0.6180339887498949 % 1.0

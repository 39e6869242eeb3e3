"""The style of all figures: colours, marks, sizes, titles, and the line that says what was compared."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil, floor, log10
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from compare.report.formatting import number
from compare.report.render.plots.labels import spread
from compare.report.render.plots.text import FONT, drawable, shortened, wrapped
from compare.report.schema import Report

#: Colours that can be distinguished with any colour vision (Okabe and Ito 2008), and marks for grey prints.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "*")

#: The colours of text, of what is only background, and of what must not be overlooked.
INK, QUIET, ALARM = "#222222", "#9a9a9a", "#D55E00"

#: The width of every figure in inches. At 100 dots per inch it is as wide as the README.
WIDTH = 8.0

#: The sizes of text in points: of titles, of panels' titles, of text, and of the lines at the bottom.
TITLE, HEADING, TEXT, SMALL = 11.0, 9.0, 8.0, 6.5

#: The height of a line of text in inches, over its size in points.
LINE = 1.35 / 72

#: The margin around a figure, and the height of the lines at its bottom, in inches.
MARGIN, BOTTOM = 0.1, 0.36

#: Dots per inch of PNG files.
DPI = 150

#: The most lines of a title.
MOST_LINES = 3

#: The most runtimes that have a colour of their own in one figure; more are not distinguished.
MOST_COLOURS = len(COLOURS)

_SETTINGS: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": [FONT],
    "font.size": TEXT,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT,
    "axes.titlesize": HEADING,
    "axes.titlelocation": "left",
    "axes.edgecolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "svg.hashsalt": "onnx-attention-compare",  # else the ids in an SVG are random
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save figures in this style during the `with` block or the decorated function, whatever the user's is."""
    with style.context(["default", _SETTINGS]):
        yield


def look_of(place: int) -> tuple[str, str]:
    """Return the colour and the mark of a runtime by its place in the report. The first 49 places look different.

    >>> look_of(0), look_of(7), len({look_of(place) for place in range(49)})
    (('#0072B2', 'o'), ('#0072B2', 's'), 49)
    """
    return COLOURS[place % len(COLOURS)], MARKS[(place + place // len(COLOURS)) % len(MARKS)]


class Page:
    """A figure whose parts are placed in inches. matplotlib's automatic layout takes as long as drawing does."""

    def __init__(self, report: Report, title: Sequence[str], height: float) -> None:
        """Create a figure with a title, and a bottom that says what was compared, in which run, at which commit.

        title: sentences, the most important one first; those that do not fit are left out. height: of what is between
        title and bottom, in inches.
        """
        lines = _title_lines([drawable(sentence) for sentence in title])
        above = MARGIN + len(lines) * TITLE * LINE + 0.08
        self.height = above + height + BOTTOM
        self._below_title = self.height - above
        self.figure = Figure(figsize=(WIDTH, self.height))
        for i, line in enumerate(lines):
            self.write(MARGIN, self.height - MARGIN - i * TITLE * LINE, line, TITLE, va="top", fontweight="bold")
        quick = " · quick" if report.quick else ""
        size = f"{report.input.batch} x {report.input.sequence} {report.token_word}"
        compared = shortened(f"{drawable(report.subject)} · {size}{quick}", SMALL, WIDTH - 2 * MARGIN)
        self.write(MARGIN, 0.22, compared, SMALL, color="#555555")
        run = f"run {report.run_id} · " if report.run_id else ""
        made = drawable(f"{run}{report.created} · commit {report.environment.commit or 'unknown'}")
        self.write(WIDTH - MARGIN, 0.07, made, SMALL, ha="right", color="#555555")

    def write(self, left: float, bottom: float, text: str, points: float, **more: Any) -> None:
        """Write a drawable text at a place in inches from the lower left corner."""
        self.figure.text(left / WIDTH, bottom / self.height, text, fontsize=points, **more)

    def mark(self, left: float, bottom: float, mark: str, colour: str, inside: str) -> None:
        """Draw a mark at a place in inches from the lower left corner, as an explanation of marks like it."""
        place = [left / WIDTH], [bottom / self.height]
        line = Line2D(*place, marker=mark, color=colour, mfc=inside, ms=6, ls="none", transform=self.figure.transFigure)
        self.figure.add_artist(line)

    def axes(self, left: float, below: float, width: float, height: float) -> Axes:
        """Return axes, all in inches. below: the distance of their upper edge from the title."""
        bottom = self._below_title - below - height
        return self.figure.add_axes((left / WIDTH, bottom / self.height, width / WIDTH, height / self.height))


def _title_lines(sentences: Sequence[str]) -> list[str]:
    """Return as many drawable sentences as fit into a title, in lines; if the first one does not fit, it is cut."""
    width = WIDTH - 2 * MARGIN
    for count in range(len(sentences), 0, -1):
        lines = wrapped(" ".join(sentences[:count]), TITLE, width, "bold")
        if len(lines) <= MOST_LINES:
            return lines
    lines = wrapped(" ".join(sentences[:1]), TITLE, width, "bold")
    return [*lines[: MOST_LINES - 1], shortened(" ".join(lines[MOST_LINES - 1 :]), TITLE, width, "bold")]


def log_scale(axis: Axis, low: float, high: float, most: int = 8) -> None:
    """Make an axis logarithmic, from `low` to `high`, with at most `most` ticks, which are plain numbers."""
    ticks = log_ticks(low, high, most)
    if axis is axis.axes.xaxis:
        axis.axes.set(xscale="log", xlim=(low, high))
    else:
        axis.axes.set(yscale="log", ylim=(low, high))
    axis.set_ticks(ticks, [number(tick) for tick in ticks])
    axis.set_ticks([], minor=True)


def log_ticks(low: float, high: float, most: int = 8) -> list[float]:
    """Return at most `most` round numbers from `low` to `high`: with any first digit, with 1, 2 or 5, or powers of ten.

    >>> log_ticks(0.45, 1.2), log_ticks(0.3, 12)
    ([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], [0.5, 1.0, 2.0, 5.0, 10.0])
    >>> log_ticks(0.1, 2e5), log_ticks(3, 3.5)
    ([0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0, 100000.0], [3.0])
    """
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    every = range(1, 10) if high < 4 * low else (1, 2, 5)
    for digits, step in ((every, 1), ((1,), 1), ((1,), 2), ((1,), 3), ((1,), 5), ((1,), 10)):
        ticks = [float(f"{digit}e{power}") for power in decades[::step] for digit in digits]
        if len(shown := [tick for tick in ticks if low <= tick <= high]) <= most:
            return shown
    return []


def at_right(axes: Axes, ends: Sequence[tuple[float, float, str, str]], room: float) -> None:
    """Write labels in a column to the right of axes, each with a thin line from the end of its curve.

    ends: x and y of the end, the drawable text and the colour of each. room: the width of the column in inches. The
    limits of the axes must be final.
    """
    width, height = axes.bbox.width / axes.figure.dpi, axes.bbox.height / axes.figure.dpi
    to_axes = axes.transData + axes.transAxes.inverted()
    places = [tuple(to_axes.transform((x, y))) for x, y, _, _ in ends]
    heights = spread([y * height for _, y in places], TEXT * LINE, 0.0, height)
    left = 1 + 0.22 / width
    for up, (_, _, text, _) in zip(heights, ends, strict=True):
        shown = shortened(text, TEXT, room - 0.22)
        axes.text(left, up / height, shown, fontsize=TEXT, va="center", transform=axes.transAxes)
    paths = [
        [(x, y), (1 + 0.05 / width, y), (left - 0.03 / width, up / height)]
        for (x, y), up in zip(places, heights, strict=True)
    ]
    colours = [colour for *_, colour in ends]
    lines = LineCollection(paths, colors=colours, linewidths=0.7, clip_on=False, transform=axes.transAxes)
    axes.add_collection(lines, autolim=False)

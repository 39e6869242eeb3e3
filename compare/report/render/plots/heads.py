"""The pages of heads: their attention in golden and in one run, and the difference."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from compare.report.formatting import number
from compare.report.head_maps import HeadMap, head_maps
from compare.report.render.plots import style
from compare.report.render.plots.style import Page, styled
from compare.report.render.plots.text import drawable, shortened, widest
from compare.report.schema import Report
from compare.results.circumstances import Head

#: The most tokens that are named along an axis, and the most room for the longest of them, in inches.
MOST_TOKENS, TOKEN_ROOM = 16, 0.8

#: The largest side of a map, the space for a scale, and the space between two maps, in inches.
SIDE, SCALE, SPACE = 1.9, 0.62, 0.12

#: The height of a head's name and of the titles of maps, in inches.
ABOVE = 0.42

#: The size of a token, in points.
POINTS = 7.0


def head_pages(report: Report) -> Iterator[tuple[str, Figure]]:
    """Yield a name and a page for each runtime that exposes attention: the heads that the report chose."""
    with head_maps(report) as maps:
        if maps is None:
            return
        for runtime in maps.runtimes:
            found = [(head, known) for head in report.heads if (known := maps.of(runtime, head.layer, head.head))]
            if found:
                yield f"heads_{runtime}", _page(report, runtime, found)


def pages_of(report: Report, head: Head, maps: Mapping[str, HeadMap]) -> dict[str, Figure]:
    """Return a page for each runtime that has a map of one head, by name `layerLAYER_headHEAD_RUNTIME`."""
    name = f"layer{head.layer}_head{head.head}"
    return {f"{name}_{runtime}": _page(report, runtime, [(head, known)]) for runtime, known in maps.items()}


@styled()
def _page(report: Report, runtime: str, heads: Sequence[tuple[Head, HeadMap]]) -> Figure:
    """Draw a row for each head: golden, the run, and the difference."""
    shown = len(heads[0][1].golden)
    tokens = named(report.input.tokens[:shown])
    room = widest(list(tokens.values()), POINTS)
    # Each element is a whole number of dots, so that all look alike.
    side = max(1, int(SIDE * style.DPI / shown)) * shown / style.DPI
    row = ABOVE + side + 0.1
    page = Page(report, [_title(report, runtime, heads)], len(heads) * row + room + 0.35)
    left = style.MARGIN + 0.25 + room
    space = SPACE + max(0.0, style.WIDTH - style.MARGIN - left - 3 * side - 2 * SCALE - 2 * SPACE) / 2
    places = [left, left + side + space, left + 2 * side + 2 * space + SCALE]
    for i, (head, known) in enumerate(heads):
        finite = known.difference[np.isfinite(known.difference)]
        limit = float(np.abs(finite).max(initial=0.0)) or 1.0
        shares = PowerNorm(0.5, vmin=0.0, vmax=1.0)  # the root of a share, so that flat heads are not all black
        drawn: list[tuple[Any, str, str, Normalize]] = [
            (known.golden, "golden", "cividis", shares),
            (known.run, runtime, "cividis", shares),
            (known.difference, f"difference, at most {number(known.largest)}", "RdBu_r", Normalize(-limit, limit)),
        ]
        for place, (values, heading, colours, norm) in zip(places, drawn, strict=True):
            axes = page.axes(place, ABOVE + i * row, side, side)
            image = _map(axes, values, colours, norm)
            axes.set_title(shortened(drawable(heading), style.TEXT, side + SPACE), fontsize=style.TEXT, pad=3)
            if place == left:
                name = drawable(f"{head.name}: probabilities of attention")
                axes.text(0, 1 + 0.2 / side, name, fontsize=style.HEADING, fontweight="bold", transform=axes.transAxes)
            _name(axes, tokens, shown, left=place == left, below=i == len(heads) - 1)
            if place != left:
                scale = page.axes(place + side + 0.06, ABOVE + i * row, 0.08, side)
                _scale(scale, image, [0, 0.1, 0.5, 1] if norm is shares else [-limit, 0, limit])
    return page.figure


def _title(report: Report, runtime: str, heads: Sequence[tuple[Head, HeadMap]]) -> str:
    """Return the largest difference in what is shown, and what is shown."""
    largest = float(np.max([known.largest for _, known in heads]))
    count = f"{len(heads)} heads" if len(heads) > 1 else heads[0][0].name
    shown, whole = len(heads[0][1].golden), report.input.sequence
    word = report.token_word
    part = f"all {whole} {word}" if shown == whole else f"the first {shown} of {whole} {word}"
    if not np.isfinite(largest):
        return f"Attention of {runtime} in {count} has NaN or infinity ({part})"
    if largest == 0:
        return f"Attention of {runtime} equals golden's in {count} ({part})"
    return f"Attention of {runtime} differs from golden's by at most {number(largest)} in {count} ({part})"


def named(tokens: Sequence[str]) -> dict[int, str]:
    """Return position -> text of the tokens that are named along an axis: every first, second, fourth, ... one.

    If some are left out, each text begins with its position.

    >>> named(["To", "·be"])
    {0: 'To', 1: '·be'}
    >>> list(named(["a"] * 40).items())[:3]
    [(0, '0 a'), (4, '4 a'), (8, '8 a')]
    """
    step = 1
    while len(tokens) > MOST_TOKENS * step:
        step *= 2
    texts = {at: drawable(token) for at, token in list(enumerate(tokens))[::step]}
    numbered = texts if step == 1 else {at: f"{at} {text}" for at, text in texts.items()}
    return {at: shortened(text, POINTS, TOKEN_ROOM) for at, text in numbered.items()}


def _map(axes: Axes, values: Any, colours: str, norm: Normalize) -> AxesImage:
    """Draw one map. Elements above the causal diagonal are blank if they are 0."""
    hidden = np.triu(np.ones_like(values, dtype=bool), k=1) & (values == 0)
    axes.set_facecolor("#f2f2f2")
    axes.grid(visible=False)
    return axes.imshow(np.ma.masked_where(hidden, values), cmap=colours, norm=norm, interpolation="nearest")


def _name(axes: Axes, tokens: dict[int, str], count: int, *, left: bool, below: bool) -> None:
    """Name the tokens along the axes at the left and at the bottom of the page. matplotlib's ticks are slower."""
    axes.set_xticks([])
    axes.set_yticks([])
    for at, token in tokens.items():
        if below:
            axes.text(at, count, token, rotation=90, ha="center", va="top", fontsize=POINTS)
        if left:
            axes.text(-1 - count / 60, at, token, ha="right", va="center", fontsize=POINTS)
    room = 72 * widest(list(tokens.values()), POINTS)
    if below:
        axes.set_xlabel("key", fontsize=style.TEXT, labelpad=room + 4)
    if left:
        axes.set_ylabel("query", fontsize=style.TEXT, labelpad=room + 5)


def _scale(axes: Axes, image: AxesImage, ticks: Sequence[float]) -> None:
    """Draw the scale of a map."""
    bar = axes.figure.colorbar(image, cax=axes)
    bar.set_ticks(list(ticks), labels=[number(tick) for tick in ticks])
    bar.ax.tick_params(labelsize=style.SMALL)
    bar.minorticks_off()

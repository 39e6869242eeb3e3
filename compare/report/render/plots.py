"""Draw the figures of a report without pyplot, so no window opens, and the caller's plots are not affected."""

from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from compare.report.recommendation import choices, front
from compare.report.schema import MAPS_FILE, Report
from compare.report.sections.tensors import shown_kinds
from compare.results.runtimes import RuntimeResult

#: Colours that can be distinguished with any colour vision (Okabe and Ito 2008), and marks for grey prints.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X")

#: The largest number of tokens that can be read along an axis.
SHOWN_TOKENS = 32

#: Lengths on a page of heads, in inches: the side of a map, the space next to it, below and above it, and the width of
#: a letter. They are fixed because matplotlib's automatic layout takes as long as drawing the page.
SIDE, BESIDE, BELOW, ABOVE, LETTER = 3.5, 0.85, 0.3, 0.3, 0.06


#: The axis of times is logarithmic if the slowest runtime takes this many times as long as the fastest.
WIDE = 10


def look_of(place: int) -> tuple[str, str]:
    """Return the colour and the mark of a runtime by its place in the report. The first 49 places look different.

    >>> look_of(0), look_of(7), len({look_of(place) for place in range(49)})
    (('#0072B2', 'o'), ('#0072B2', 's'), 49)
    """
    return COLOURS[place % len(COLOURS)], MARKS[(place + place // len(COLOURS)) % len(MARKS)]


def draw_figures(report: Report) -> dict[str, Figure]:
    """Return all figures of a report by name: gap by layer, latency against gap, and a page of heads for each runtime.

    Figures of latency need times, and latency by sequence needs a grid. A comparison of two ONNX files has no figures,
    because they are not compared with golden.
    """
    if report.model is None:
        return {}
    figures = {"gap_by_layer": gap_by_layer(report)}
    if report.latency:
        figures["latency_against_gap"] = latency_against_gap(report)
    if report.grid:
        figures["latency_by_sequence"] = latency_by_sequence(report)
    figures |= {f"heads_{name}": figure for name, figure in head_pages(report)}
    return figures


def save_figures(figures: dict[str, Figure], out: Path) -> list[Path]:
    """Write figures into a folder as NAME.png, and return their paths."""
    paths = [out / f"{name}.png" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        figure.savefig(path, dpi=100)
    return paths


def gap_by_layer(report: Report) -> Figure:
    """Draw the gaps by layer: a panel for each kind of tensor, a line for each runtime."""
    figure = _page(report, "How far from golden, layer by layer", (11, 7.5))
    panels = figure.subplots(2, 2)
    measured = [runtime for runtime in report.runtimes if runtime.gaps]
    for axes, (kind, title) in zip(panels.flat, shown_kinds(report).items(), strict=True):
        draw = _output_panel if kind == report.output else _layer_panel
        draw(axes, measured, kind)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_yscale("log")
        axes.set_ylabel("|difference from golden|", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.25)
    handles, labels = panels.flat[2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), fontsize=8, frameon=False)
    return figure


def _layer_panel(axes: Axes, runtimes: list[RuntimeResult], kind: str) -> None:
    """Draw the largest gap (solid) and the root mean square (dotted) by layer."""
    for place, runtime in enumerate(runtimes):
        shown = [g for g in runtime.gaps if g.tensor.partition(".")[0] == kind and g.exposed]
        colour, mark = look_of(place)
        layers = [int(gap.tensor.partition(".")[2]) for gap in shown]
        largest, typical = (np.array([getattr(gap, name) for gap in shown], float) for name in ("max", "rms"))
        axes.plot(layers, largest, color=colour, marker=mark, markersize=4, label=runtime.name)
        axes.plot(layers, typical, color=colour, marker=mark, markersize=3, ls=":", alpha=0.6)
    axes.set_xlabel("layer (solid: largest, dotted: RMS)", fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _output_panel(axes: Axes, runtimes: list[RuntimeResult], kind: str) -> None:
    """Draw the largest gap, the 99.9th percentile and the root mean square for each runtime."""
    for place, runtime in enumerate(runtimes):
        gap = next((g for g in runtime.gaps if g.tensor == kind and g.exposed), None)
        if gap is None:
            continue
        colour, mark = look_of(place)
        values = np.array([gap.rms, gap.p999, gap.max], float)
        axes.plot([place] * 3, values, color=colour, marker=mark, markersize=5, lw=1)
    axes.set_xticks(range(len(runtimes)), [r.name for r in runtimes], rotation=15, fontsize=7)
    axes.set_xlabel("from below: RMS, 99.9th percentile, largest", fontsize=8)


def latency_against_gap(report: Report) -> Figure:
    """Draw time against gap: a point for each runtime, and a line through the Pareto front.

    Times are ratios to the baseline's, with 95 % intervals. A cross marks a runtime that is not to be trusted.
    """
    figure = _page(report, "Which runtime to deploy: time against gap", (8, 5.5))
    axes = figure.subplots()
    found = [choice for choice in choices(report) if choice.gap]
    places = [runtime.name for runtime in report.runtimes]
    for choice in found:
        place, time = places.index(choice.name), choice.time
        colour, mark = look_of(place)
        mark = mark if choice.trusted else "x"
        label = choice.name if choice.trusted else f"{choice.name}: not to be trusted"
        reach = [[time.estimate - time.low], [time.high - time.estimate]] if isfinite(time.high) else None
        style: dict[str, Any] = {"color": colour, "marker": mark, "ms": 8, "capsize": 3, "ls": "none", "label": label}
        axes.errorbar(time.estimate, choice.gap or 0.0, xerr=reach, **style)
    best = front([choice for choice in found if choice.trusted])
    steps = [(choice.time.estimate, choice.gap or 0.0) for choice in best]
    axes.step(*zip(*steps, strict=True), where="post", color="#555555", lw=1, ls="--", zorder=0) if steps else None
    axes.set_yscale("log")
    if found:
        times = [choice.time.estimate for choice in found]
        if max(times) > WIDE * min(times):
            axes.set_xscale("log")
        else:
            axes.set_xlim(0, 1.1 * max(min(c.time.high, 2 * c.time.estimate) for c in found))
        axes.legend(fontsize=8, loc="upper center", ncols=2, frameon=False)
        heights = [choice.gap or 0.0 for choice in found]
        axes.set_ylim(min(heights) / 4, max(heights) * 8)  # at least a decade, so that gaps of one size look alike
    axes.set_xlabel("time of one pass over the baseline's (bar: 95 % interval; dashed: no other beats these in both)")
    axes.set_ylabel(f"largest |{report.output_word} - golden|")
    axes.grid(alpha=0.25, which="both")
    return figure


def latency_by_sequence(report: Report) -> Figure:
    """Draw time by length of the sequence, on log axes: a panel for each batch size, a line for each runtime."""
    batches = list(dict.fromkeys(cell.batch for cell in report.grid))
    figure = _page(report, f"Latency by how many {report.token_word} a sequence has", (5 * len(batches) + 1, 5))
    panels = figure.subplots(1, len(batches), sharey=True, squeeze=False)
    for axes, batch in zip(panels.flat, batches, strict=True):
        for place, runtime in enumerate(report.runtimes):
            points = sorted(
                (cell.sequence, row.median_ms)
                for cell in report.grid
                for row in cell.latency
                if cell.batch == batch and row.runtime == runtime.name and not row.again and row.median_ms
            )
            if points:
                colour, mark = look_of(place)
                axes.plot(*zip(*points, strict=True), color=colour, marker=mark, markersize=5, label=runtime.name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        sequences = sorted({cell.sequence for cell in report.grid})
        axes.set_xticks(sequences, [str(sequence) for sequence in sequences])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(f"{batch} sequence{'s' if batch > 1 else ''} at once", loc="left", fontsize=10)
        axes.set_xlabel(report.token_word)
        axes.grid(alpha=0.25, which="both")
    panels[0, 0].set_ylabel("ms, median over rounds")
    lines = {str(line.get_label()): line for axes in panels.flat for line in axes.get_lines()}
    figure.legend(lines.values(), lines.keys(), loc="outside upper right", ncols=4, fontsize=8, frameon=False)
    return figure


def head_pages(report: Report) -> Iterator[tuple[str, Figure]]:
    """Yield a page for each runtime that exposes probabilities: heads in golden, in the run, and the difference."""
    if report.folder is None or not (report.folder / MAPS_FILE).is_file():
        return
    with np.load(report.folder / MAPS_FILE) as maps:
        for runtime in report.runtimes:
            if f"{runtime.name}/0" in maps:
                yield runtime.name, _head_page(report, runtime.name, maps)


def _head_page(report: Report, runtime: str, maps: Any) -> Figure:
    rows = len(report.heads)
    title = f"Attention of {rows} head{'s' if rows > 1 else ''}: golden, {runtime}, and the difference"
    tokens = report.input.tokens[:SHOWN_TOKENS]
    margin = 0.25 + LETTER * max(map(len, tokens))
    width, row = margin + 3 * (SIDE + BESIDE), ABOVE + SIDE + margin + BELOW
    figure = _page(report, title, (width, rows * row + 0.6), layout=None)
    for i, head in enumerate(report.heads):
        golden, found = (maps[f"{name}/{i}"][: len(tokens), : len(tokens)] for name in ("golden", runtime))
        difference = found - golden
        limit = float(np.nanmax(np.abs(difference))) or 1e-30
        shares = PowerNorm(0.5, vmin=0.0, vmax=1.0)  # the root of a share, so that flat heads are not all black
        drawn = (
            (golden, f"golden · {head.name}", "magma", shares),
            (found, f"{runtime} · {head.name}", "magma", shares),
            (difference, f"difference, largest {limit:.1e}", "RdBu_r", Normalize(-limit, limit)),
        )
        for column, (values, title, colours, norm) in enumerate(drawn):
            left, bottom = margin + column * (SIDE + BESIDE), 0.2 + (rows - 1 - i) * row + margin + BELOW
            axes = _placed(figure, left, bottom, SIDE, SIDE)
            image = _heatmap(axes, values, tokens, title, colours, norm)
            if column == 0:
                _label(axes, tokens, "y")
            scale = _placed(figure, left + SIDE + 0.1, bottom + 0.15 * SIDE, 0.12, 0.7 * SIDE)
            figure.colorbar(image, cax=scale).ax.tick_params(labelsize=7)
            scale.yaxis.get_offset_text().set_fontsize(7)
    return figure


def _placed(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Return axes at a place on the page, given in inches."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def _heatmap(
    axes: Axes, values: NDArray[Any], tokens: list[str], title: str, colours: str, norm: Normalize
) -> AxesImage:
    """Draw one map. Elements above the causal diagonal are blank if they are 0."""
    hidden = np.triu(np.ones_like(values, dtype=bool), k=1) & (values == 0)
    image = axes.imshow(np.ma.masked_where(hidden, values), cmap=colours, norm=norm)
    axes.set_facecolor("#f2f2f2")
    axes.set_xticks([])
    axes.set_yticks([])
    _label(axes, tokens, "x")
    axes.set_title(title, fontsize=9, loc="left")
    below_tokens = 72 * LETTER * max(map(len, tokens)) + 4  # in points, of which an inch has 72
    axes.set_xlabel("across: keys, down: queries", fontsize=7, labelpad=below_tokens)
    return image


def _label(axes: Axes, tokens: list[str], which: Literal["x", "y"]) -> None:
    """Write tokens along an axis. matplotlib's ticks are not used because a page of them takes three times as long."""
    for place, token in enumerate(tokens):
        if which == "x":
            axes.text(place, len(tokens) - 0.3, token, rotation=90, ha="center", va="top", fontsize=6)
        else:
            axes.text(-0.8, place, token, ha="right", va="center", fontsize=6)


def _page(
    report: Report, title: str, size: tuple[float, float], layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """Return an empty figure with a title, and with a bottom line that says what was compared and when."""
    figure = Figure(figsize=size, layout=layout)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    quick = " · quick" if report.quick else ""
    size_of_input = f"{report.input.batch} x {report.input.sequence} {report.token_word}"
    made = f"{report.subject} · {size_of_input}{quick} · {report.created}"
    figure.supxlabel(made, x=0.01, ha="left", fontsize=7, color="#555555")
    return figure

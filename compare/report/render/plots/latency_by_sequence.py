"""The figure of times by the length of the sequence, for the input shapes of `--grid`."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compare.report.measurability import faster, is_shown
from compare.report.render.plots import style
from compare.report.render.plots.style import Page, at_right, log_scale, look_of, styled
from compare.report.render.plots.text import drawable
from compare.report.schema import Report
from compare.results.latency import GridCell

#: The widths of the axis at the left and of the labels at the right, and the height of a panel, in inches.
LEFT, RIGHT, HEIGHT = 0.85, 1.9, 2.2

#: Length of the sequence -> median time in milliseconds.
Times = Mapping[int, float]


@styled()
def latency_by_sequence(report: Report) -> Figure:
    """Draw time by length of the sequence, on log axes: a panel for each batch size, a line for each runtime."""
    batches = list(dict.fromkeys(cell.batch for cell in report.grid))
    page = Page(report, [_title(report)], len(batches) * (HEIGHT + 0.7))
    panels = [times_of(report, batch) for batch in batches]
    apart = _apart(panels)
    every = [time for panel in panels for line in panel.values() for time in line.values()]
    for i, (batch, lines) in enumerate(zip(batches, panels, strict=True)):
        axes = page.axes(LEFT, 0.25 + i * (HEIGHT + 0.7), style.WIDTH - LEFT - RIGHT, HEIGHT)
        axes.set_title(f"{batch} sequence{'s' if batch > 1 else ''} at once")
        axes.set_ylabel("ms a call (median)")
        sequences = sorted({cell.sequence for cell in report.grid})
        log_scale(axes.xaxis, 0.9 * sequences[0], 1.1 * sequences[-1])
        axes.set_xticks(sequences, [str(sequence) for sequence in sequences])
        if every:
            log_scale(axes.yaxis, 0.8 * min(every), 1.25 * max(every))
        axes.set_xlabel(f"length of a sequence ({report.token_word})")
        _draw(axes, lines, apart)
    return page.figure


def times_of(report: Report, batch: int) -> dict[str, Times]:
    """Return the times of each runtime for one batch size. Runtimes that have none are left out."""
    cells = sorted((cell for cell in report.grid if cell.batch == batch), key=lambda cell: cell.sequence)
    lines: dict[str, dict[int, float]] = {}
    for runtime in report.runtimes:
        for cell in cells:
            for row in cell.latency:
                if row.runtime == runtime.name and not row.again and row.median_ms:
                    lines.setdefault(runtime.name, {})[cell.sequence] = row.median_ms
    return dict(lines)


def _title(report: Report) -> str:
    """Return which runtime is measurably faster than the baseline for the most input shapes."""
    baseline = next((cell.latency[0].runtime for cell in report.grid if cell.latency), "the baseline")
    counts: dict[str, int] = {}
    for cell in report.grid:
        for name in _faster(report, cell):
            counts[name] = counts.get(name, 0) + 1
    of = f"of {len(report.grid)} input shapes" if len(report.grid) > 1 else "of 1 input shape"
    if not counts:
        return f"No runtime that can be trusted is measurably faster than {baseline} for any {of}"
    name = max(counts, key=lambda name: counts[name])
    return f"{name} is measurably faster than {baseline} for {counts[name]} {of}"


def _faster(report: Report, cell: GridCell) -> list[str]:
    """Return the trusted runtimes that are measurably faster than the baseline in a cell."""
    rows = [row for row in cell.latency[1:] if not row.again and row.runtime not in report.untrusted]
    return [row.runtime for row in rows if is_shown(row, cell.latency) and faster(row, cell.latency)]


def _apart(panels: Sequence[Mapping[str, Times]]) -> list[str]:
    """Return the runtimes that have a colour and a label: all, or the first and the fastest of the longest input."""
    last: dict[str, float] = {}
    for panel in panels:
        last |= {name: line[max(line)] / max(line) for name, line in panel.items()}
    if len(last) <= style.MOST_COLOURS:
        return list(last)
    first = next(iter(last))
    fastest = sorted((name for name in last if name != first), key=lambda name: last[name])
    kept = {first, *fastest[: style.MOST_COLOURS - 2]}
    return [name for name in last if name in kept]


def _draw(axes: Axes, lines: Mapping[str, Times], apart: Sequence[str]) -> None:
    """Draw one panel: a line for each runtime, and labels at the right."""
    ends = []
    for name, times in lines.items():
        colour, mark = look_of(apart.index(name)) if name in apart else (style.QUIET, ".")
        axes.plot(list(times), list(times.values()), color=colour, marker=mark, ms=4, lw=1, label=name)
        if name in apart:
            ends.append((max(times), times[max(times)], drawable(name), colour))
    others = [times[max(times)] for name, times in lines.items() if name not in apart]
    if others:
        last = max(max(times) for times in lines.values())
        ends.append((last, max(others), f"{len(others)} others", style.QUIET))
    at_right(axes, ends, RIGHT)

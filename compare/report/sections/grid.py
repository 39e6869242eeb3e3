"""Latency on a grid of input shapes."""

from compare.report.formatting import NOTHING, Table, interval, number, worker_name
from compare.report.schema import Report
from compare.report.sections.section import Section
from compare.results.latency import GridCell, LatencyRow

_TIME_NOTES = (
    "Medians. Each shape has rounds of its own, as many as the last row says, so times of two shapes are not paired."
)
_RATIO_NOTES = "Paired by round, with the 95 % interval."


def tables(report: Report) -> list[Table]:
    """Show the time for every shape, then the ratios to the baseline, a table for each batch size."""
    if not report.grid:
        return []
    batches = list(dict.fromkeys(cell.batch for cell in report.grid))
    return [_times(report), *(_ratios(report, batch) for batch in batches)]


def sentences(report: Report) -> list[str]:
    """Say which runtimes failed for a shape, and why."""
    return [
        f"{worker_name(row.runtime, again=row.again)} failed at {cell.name}: {row.error}."
        for cell in report.grid
        for row in cell.latency
        if row.error
    ]


def _times(report: Report) -> Table:
    rows = []
    for name, again in _workers(report):
        cells = [_row(cell, name, again) for cell in report.grid]
        times = [NOTHING if row is None else "failed" if row.error else number(row.median_ms) for row in cells]
        rows.append([worker_name(name, again=again), *times])
    rows.append(["rounds", *(str(cell.rounds) for cell in report.grid)])
    columns = ["ms", *(cell.name for cell in report.grid)]
    return Table(
        f"Latency by input shape: {report.token_word} of each sequence x sequences at once", columns, rows, _TIME_NOTES
    )


def _ratios(report: Report, batch: int) -> Table:
    shown = [cell for cell in report.grid if cell.batch == batch]
    rows = []
    for name, again in _workers(report)[1:]:
        cells = [_row(cell, name, again) for cell in shown]
        rows.append([worker_name(name, again=again), *(interval(row.ratio if row else None) for row in cells)])
    title = f"Time over {report.grid[0].latency[0].runtime}'s: {batch} sequence{'s' if batch > 1 else ''} at once"
    return Table(title, ["ratio [95 %]", *(cell.name for cell in shown)], rows, _RATIO_NOTES)


def _workers(report: Report) -> list[tuple[str, bool]]:
    return list(dict.fromkeys((row.runtime, row.again) for cell in report.grid for row in cell.latency))


def _row(cell: GridCell, name: str, again: bool) -> LatencyRow | None:
    return next((row for row in cell.latency if (row.runtime, row.again) == (name, again)), None)


SECTION = Section("grid", tables, sentences)

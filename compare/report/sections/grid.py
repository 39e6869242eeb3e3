"""The tables of latency under other circumstances: beside the others unsuspended, and on a grid of inputs."""

from compare.report.formatting import NOTHING, interval, number
from compare.report.latency_parts import GridCell, LatencyPart
from compare.report.schema import Report
from compare.report.sections.interference import worker_name
from compare.report.table import Table


def interference_table(report: Report) -> Table | None:
    """What each runtime reads alone and beside the others, in rounds that come in pairs; None where not asked for."""
    if not report.interference:
        return None
    rows = []
    for part in report.interference:
        ratios = [part.slowdown, part.ratio_alone, part.ratio_beside]
        rows.append(
            [
                worker_name(part.runtime, again=part.again),
                "failed" if part.error else number(part.alone_ms),
                number(part.beside_ms),
                *(interval(ratio) if ratio else NOTHING for ratio in ratios),
            ]
        )
    baseline = report.interference[0].runtime
    columns = ["runtime", "ms alone", "ms beside", "beside / alone [95 %]"]
    columns += [f"to {baseline}, alone [95 %]", "beside [95 %]"]
    pairs = max(len(part.alone.turns) for part in report.interference)
    return Table(f"Timed alone and beside the others unsuspended: {pairs} pairs of rounds", columns, rows)


def grid_tables(report: Report) -> list[Table]:
    """Latency on every shape of the grid, then the ratios to the baseline, a table a batch; none without a grid."""
    if not report.grid:
        return []
    batches = list(dict.fromkeys(cell.batch for cell in report.grid))
    return [_times(report), *(_ratios(report, batch) for batch in batches)]


def _times(report: Report) -> Table:
    rows = []
    for name, again in _workers(report):
        cells = [_row(cell, name, again) for cell in report.grid]
        times = [NOTHING if row is None else "failed" if row.error else number(row.median_ms) for row in cells]
        rows.append([worker_name(name, again=again), *times])
    rows.append(["rounds", *(str(cell.rounds) for cell in report.grid)])
    columns = ["ms", *(cell.name for cell in report.grid)]
    return Table(f"Latency on a grid of inputs, {report.token_word} x sequences", columns, rows)


def _ratios(report: Report, batch: int) -> Table:
    shown = [cell for cell in report.grid if cell.batch == batch]
    rows = []
    for name, again in _workers(report)[1:]:
        cells = [_row(cell, name, again) for cell in shown]
        ratios = [NOTHING if row is None or row.ratio is None else interval(row.ratio) for row in cells]
        rows.append([worker_name(name, again=again), *ratios])
    sequences = "sequence" if batch == 1 else "sequences"
    title = f"Ratio to {report.grid[0].latency[0].runtime} there, {batch} {sequences} at once"
    return Table(title, ["ratio [95 %]", *(cell.name for cell in shown)], rows)


def _workers(report: Report) -> list[tuple[str, bool]]:
    return list(dict.fromkeys((row.runtime, row.again) for cell in report.grid for row in cell.latency))


def _row(cell: GridCell, name: str, again: bool) -> LatencyPart | None:
    return next((row for row in cell.latency if (row.runtime, row.again) == (name, again)), None)

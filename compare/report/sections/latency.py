"""Latency of a forward pass: times, ratios to the baseline, and samples."""

from compare.report.formatting import (
    NOT_MEASURABLE,
    NOTHING,
    Table,
    give_or_take,
    interval,
    megabytes,
    number,
    percent,
    ratio_words,
    rough,
    spread,
    worker_name,
)
from compare.report.schema import Report
from compare.report.sections.section import Section
from compare.results.latency import LatencyRow, Ratio

_NOTES = (
    "Processes take turns, and all others are suspended. ms: median. ratio: time over the baseline's in the same "
    "rounds. (A/A): the baseline in a second process; its ratio should be 1. load, first call: one sample each. MB: "
    "memory of all processes of the runtime, at its peak and after the last turn."
)
_SAMPLE_NOTES = (
    "90 %, 99 %: percentiles, if there are enough samples. IQR: interquartile range over the median; ! above 10 %, "
    "!! above 25 %. far out: samples more than 3 interquartile ranges above the third quartile. drift: the change from "
    "the first round to the last, if there is a significant trend."
)


def tables(report: Report) -> list[Table]:
    """Show times with their ratios, then statistics of the samples, if any turn counts."""
    if not report.latency:
        return []
    return [table for table in (_time_table(report), _sample_table(report)) if table.rows]


def sentences(report: Report) -> list[str]:
    """Say whether the runtimes were timed in several groups."""
    if report.shifts <= 1:
        return []
    return [
        f"Latency was measured in {report.shifts} shifts, with the baseline in each, because memory could not hold all "
        "runtimes at once."
    ]


def reading(row: LatencyRow) -> str:
    """Say what a row's ratio means. No side is faster if its interval contains 1, or if the row is the A/A control."""
    if row.ratio is None:
        return NOT_MEASURABLE if row.loads and not row.turns else NOTHING
    if row.too_slow and not row.ratio.measurable:
        return "too slow for more rounds"
    return "A/A control" if row.again and row.ratio.measurable else ratio_words(row.ratio)


def ratio_of(row: LatencyRow, ratio: Ratio | None) -> str:
    """Write one of a row's ratios with its interval, or roughly if the row was too slow for more than a few rounds."""
    if row.too_slow and ratio is not None and not ratio.measurable:
        return rough(ratio, len(row.turns))
    return interval(ratio)


def rounds_words(report: Report) -> str:
    """Say how many rounds there were, and whether they ended because of the precision or because of the time limit."""
    ratios = [row.ratio for row in report.latency if row.ratio and not row.too_slow]
    rounds = f"{report.rounds} rounds"
    if not ratios:
        return rounds
    widest = max(ratios, key=lambda ratio: ratio.half_width)
    if widest.half_width <= report.precision:
        return f"{rounds}, every ratio within {give_or_take(widest)}"
    asked = f"asked for +-{100 * report.precision:g} %"
    return f"{rounds} until the time limit; widest interval {give_or_take(widest)}, {asked}"


def _time_table(report: Report) -> Table:
    rows = []
    for row in report.latency:
        name = worker_name(row.runtime, again=row.again)
        if row.error:
            rows.append([name, NOTHING, NOTHING, f"failed: {row.error}", *[NOTHING] * 4])
            continue
        rows.append(
            [
                name,
                number(row.median_ms),
                "baseline" if row is report.latency[0] and row.ratio is None else ratio_of(row, row.ratio),
                reading(row),
                number(row.load_s),
                number(row.first_call_s),
                megabytes(row.peak_bytes),
                megabytes(row.settled_bytes),
            ]
        )
    rows += [[f"{r.name} (hybrid)", *[NOTHING] * 2, "not timed", *[NOTHING] * 4] for r in report.runtimes if r.hybrid]
    columns = ["runtime", "ms", "ratio [95 %]", "reading", "load s", "first call s", "peak MB", "settled MB"]
    notes = _NOTES
    if any(row.device_bytes for row in report.latency):
        columns, notes = [*columns, "GPU MB"], f"{_NOTES} GPU MB: the most memory of the GPU that torch had in use."
        known = {worker_name(row.runtime, again=row.again): megabytes(row.device_bytes) for row in report.latency}
        rows = [[*cells, known.get(cells[0], NOTHING)] for cells in rows]
    return Table(f"Latency of one forward pass: {rounds_words(report)}", columns, rows, notes)


def _sample_table(report: Report) -> Table:
    rows = []
    for row in report.latency:
        if row.turns and not row.error:
            samples = sum(map(len, row.turns.values()))
            values = [number(row.median_ms), number(row.p90_ms), number(row.p99_ms), spread(row.spread)]
            name = worker_name(row.runtime, again=row.again)
            rows.append([name, f"{samples:,}", *values, str(row.outliers), percent(row.drift)])
    columns = ["runtime", "samples", "median ms", "90 %", "99 %", "IQR", "far out", "drift"]
    return Table("Samples of the latency of one forward pass", columns, rows, _SAMPLE_NOTES)


SECTION = Section("latency", tables, sentences)

"""The machine's limits, and the shares of them that float32 runtimes reach."""

from compare.report.formatting import NOTHING, Table, number, rate, share, spread
from compare.report.schema import Report
from compare.report.sections.section import Section

_NOTES = (
    "reached: the FLOPs of a pass, or the bytes read by a step (one decoded token), over its time. of the limit: that "
    "over the limit measured in the same rounds, with its 95 % interval. IQR: interquartile range over the median; ! "
    "above 10 %, !! above 25 %."
)


def tables(report: Report) -> list[Table]:
    """Show the float32 runtimes, then the limits. The A/A control is left out, because it repeats the baseline."""
    limits = report.limits
    if limits is None:
        return []
    rows = [
        [row.runtime, number(row.median_ms), rate(limits.work.prefill_flops / row.median_ms * 1e3), share(row.of_peak)]
        for row in report.latency
        if limits.work and row.median_ms and row.of_peak and not row.again
    ]
    rows += [
        [
            f"{row.runtime}, a step",
            number(row.median_ms),
            rate(limits.work.decode_bytes / row.median_ms * 1e3, "B/s"),
            share(row.of_peak),
        ]
        for row in report.decoding
        if limits.work and row.median_ms and row.of_peak and not row.again
    ]
    for part, unit in ((limits.compute, "FLOP/s"), (limits.bandwidth, "B/s")):
        reached = f"failed: {part.error}" if part.per_second is None else rate(part.per_second, unit)
        flag = NOTHING if part.spread is None else f"limit, IQR {spread(part.spread)}"
        rows.append([part.name, number(part.median_ms), reached, flag])
    columns = ["runtime", "ms", "reached", "of the limit [95 %]"]
    title = "Share of this machine's limits: passes of a matrix product's FLOP/s, steps of memory bandwidth"
    return [Table(title, columns, rows, _NOTES)]


def sentences(report: Report) -> list[str]:
    """Say how long the model's work takes at each limit."""
    if report.limits is None:
        return []
    peak, reads, work = report.limits.compute.per_second, report.limits.bandwidth.per_second, report.limits.work
    if work is None:
        return [f"The model's work could not be counted: {report.limits.uncounted}."]
    lines = []
    if peak is not None:
        lines.append(
            f"At this machine's peak, {rate(peak)} in float32 matrix products, the {number(work.prefill_flops / 1e9)} "
            f"GFLOP of this input take {number(1e3 * work.prefill_flops / peak)} ms."
        )
    if reads is not None and work.decode_bytes:
        lines.append(
            f"At {rate(reads, 'B/s')} from memory, the {number(work.decode_bytes / 1e6)} MB of one more token after "
            f"{work.past:,} take {number(1e3 * work.decode_bytes / reads)} ms."
        )
    return lines


SECTION = Section("limits", tables, sentences)

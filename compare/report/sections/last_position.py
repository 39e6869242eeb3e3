"""The graph that computes the logits of the last position only (deploy-last)."""

from compare.report.formatting import Table, interval, number
from compare.report.schema import Report
from compare.report.sections.section import Section

_NOTES = (
    "ratio: to the baseline, which computes the logits of all positions. to all positions: to the deploy graph in the "
    "same runtime. largest logit gap: to that graph."
)


def tables(report: Report) -> list[Table]:
    """Show its time, its ratios to the baseline and to the deploy graph, and its largest logit gap to the latter."""
    part = report.last
    if part is None or part.error is not None:
        return []
    row = [part.runtime, number(part.median_ms), interval(part.ratio), interval(part.to_deploy), number(part.gap)]
    columns = ["runtime", "ms", "ratio [95 %]", "to all positions [95 %]", "largest logit gap"]
    return [Table("Less work: logits of the last position only (deploy-last)", columns, [row], _NOTES)]


SECTION = Section("last_position", tables)

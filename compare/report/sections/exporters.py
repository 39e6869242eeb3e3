"""The comparison of two exporters' graphs."""

from compare.report.formatting import KINDS, Table, interval, number
from compare.report.schema import Report
from compare.report.sections.section import Section


def tables(report: Report) -> list[Table]:
    """Show the differences, the times and the sizes of the two graphs in one row."""
    part = report.exporters
    if part is None:
        return []
    kinds = [kind for kind in KINDS if kind in part.gaps]
    chosen, default = part.graph_bytes
    row = [f"{part.chosen} against {part.default}", *(number(part.gaps[kind]) for kind in kinds)]
    row += [interval(part.ratio), f"{chosen / default:.3f}"]
    columns = ["graphs", *(KINDS[kind] for kind in kinds), "time ratio [95 %]", "bytes ratio"]
    title = f"Two exporters' graphs in {part.runtime}: largest difference, time, bytes"
    return [Table(title, columns, [row], f"Ratios are {part.chosen}'s over {part.default}'s.")]


SECTION = Section("exporters", tables)

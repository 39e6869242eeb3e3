"""The observer effect: what exposing every tap does to a graph."""

from compare.report.formatting import NOTHING, Table, interval, number
from compare.report.schema import Report
from compare.report.sections.section import Section

_NOTES = (
    "Gaps are measured in a graph that exposes its inner tensors (taps), such as the attention of each layer; latency "
    "in the deploy graph, which does not. time ratio: exposed over deploy, paired by round. largest {word} gap: "
    "between the two. nodes run: exposed / deploy."
)


def tables(report: Report) -> list[Table]:
    """Show the graph that exposes every tap against the deploy graph, in one runtime."""
    part = report.observer
    if part is None or part.error is not None:
        return []
    nodes = NOTHING if part.nodes is None else f"{part.nodes[0]} / {part.nodes[1]}"
    row = [part.runtime, interval(part.ratio), number(part.gap), nodes]
    columns = ["runtime", "time ratio [95 %]", f"largest {report.output_word} gap", "nodes run"]
    notes = _NOTES.format(word=report.output_word)
    return [Table("Observer effect: every inner tensor exposed, against the deploy graph", columns, [row], notes)]


def sentences(report: Report) -> list[str]:
    """Say which operators run more or less often if taps are exposed, because an output prevents fusion."""
    part = report.observer
    if part is None or not part.operators:
        return []
    changed = ", ".join(f"{name} {inspect} / {deploy}" for name, (inspect, deploy) in part.operators.items())
    return [f"Operators that {part.runtime} does not run equally often, exposed / deploy: {changed}."]


SECTION = Section("observer", tables, sentences)

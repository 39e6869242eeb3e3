"""The execution providers of ONNX Runtime that are not the CPU's, and how many nodes ran in each."""

from compare.report.schema import Report
from compare.report.sections.section import Section


def sentences(report: Report) -> list[str]:
    """Say in which execution provider the nodes of each graph ran; those on the CPU fell back."""
    nodes = {runtime.name: runtime.facts.get("nodes") for runtime in report.runtimes}
    return [f"{name} ran its nodes in: {counts} (graph with every tap)." for name, counts in nodes.items() if counts]


SECTION = Section("providers", sentences=sentences)

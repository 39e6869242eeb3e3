"""Test that the nodes of an execution provider, and those that fell back to the CPU, are shown."""

from dataclasses import replace

from compare.report.schema import Report
from compare.report.sections import providers


def test_nodes_are_shown_by_provider(altered: Report) -> None:
    assert providers.sentences(altered) == []
    nodes = "14 XnnpackExecutionProvider, 216 CPUExecutionProvider"
    altered.runtimes[-1] = replace(altered.runtimes[-1], facts={"nodes": nodes})
    name = altered.runtimes[-1].name
    assert providers.sentences(altered) == [f"{name} ran its nodes in: {nodes} (graph with every tap)."]

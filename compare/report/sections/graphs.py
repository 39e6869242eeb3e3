"""The ONNX files of a comparison: their size, inputs and precision, and the outputs that were not compared."""

from collections.abc import Iterator

from compare.report.schema import Report
from compare.report.sections.section import Section
from compare.results.runtimes import OnnxGraph


def sentences(report: Report) -> list[str]:
    """Describe each file."""
    return [line for runtime in report.runtimes if runtime.graph for line in _lines(runtime.name, runtime.graph)]


def _lines(name: str, graph: OnnxGraph) -> Iterator[str]:
    yield (
        f"{name} is {graph.file} ({graph.bytes:,} bytes with its weights, opset {graph.opset}, "
        f"SHA-256 {graph.sha256[:12]}), fed {', '.join(graph.fed)}."
    )
    if graph.unmatched:
        yield f"{name} has further outputs, whose names match no tensor of the model: {', '.join(graph.unmatched)}."
    if graph.found:
        kinds = dict.fromkeys(tensor.partition(".")[0].replace("_", " ") for tensor in graph.found)
        yield f"{name} does not name {', '.join(kinds)}; located by the graph structure, which can fail."
    if graph.quantized:
        yield f"{name} computes with quantized numbers: {', '.join(graph.quantized)}."
    if graph.halves:
        yield f"{name} stores weights in {', '.join(graph.halves)}."


SECTION = Section("graphs", sentences=sentences)

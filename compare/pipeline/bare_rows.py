"""A runtime's row of the report before it has run, with the facts on its ONNX file."""

from collections.abc import Collection, Container
from dataclasses import replace

from compare.onnx_files.reading import OnnxFile
from compare.pipeline.context import Row
from compare.results.runtimes import OnnxGraph, RuntimeResult


def bare_row(row: Row) -> RuntimeResult:
    """Return a runtime's row of the report before it has run."""
    graph = None if row.file is None else graph_part(row.file, row.taps)
    return RuntimeResult(
        name=row.name,
        precision=row.spec.precision,
        hybrid=row.spec.hybrid,
        named=row.named,
        device=row.device,
        options=dict(row.options),
        graph=graph,
    )


def graph_part(file: OnnxFile, taps: Container[str]) -> OnnxGraph:
    """Return the report's description of an ONNX file. taps: its tensors that are compared."""
    return OnnxGraph(
        file=file.name,
        bytes=file.bytes,
        sha256=file.sha256(),
        opset=file.opset,
        fed=[wanted.name for wanted in file.inputs],
        unmatched=[output for output in file.outputs if output not in taps],
        quantized=file.quantized,
        halves=file.halves,
    )


def with_taps_by_structure(row: RuntimeResult, taps: Collection[str]) -> RuntimeResult:
    """Add the taps that were located by the graph's structure to a row. A row without an ONNX file is unchanged."""
    return row if row.graph is None else replace(row, graph=replace(row.graph, found=list(taps)))

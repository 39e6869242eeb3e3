"""The rows of a report before they have run: their names, and the facts on their ONNX files."""

from collections.abc import Collection, Container
from dataclasses import replace

from compare.onnx_files.reading import OnnxFile
from compare.pipeline.context import BESIDE, ONNX_BASELINE, ONNX_FILE, Row
from compare.pipeline.prepare import chosen_runtimes
from compare.pipeline.row_settings import row_of
from compare.pipeline.settings import Settings
from compare.results.runtimes import OnnxGraph, RuntimeResult
from compare.runtimes.registry import GRAPH_RUNTIME
from export.exporters import DEFAULT_EXPORTER


def row_names(settings: Settings) -> list[str]:
    """Return the names of the rows that a comparison will have, except for those that only decode.

    Raises what `chosen_runtimes` raises.
    """
    if settings.input.baseline is not None:
        return [ONNX_BASELINE, ONNX_FILE]
    names = [spec.name for spec in chosen_runtimes(settings.runtimes.names) if "inspect" in spec.graphs]
    names += dict.fromkeys(map(row_of, settings.runtimes.providers or ()))
    if settings.input.exporter != DEFAULT_EXPORTER and GRAPH_RUNTIME in names:
        names.append(BESIDE)
    return names if settings.input.onnx is None else [*names, ONNX_FILE]


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

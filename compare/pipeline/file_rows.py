"""The row of an ONNX file: reads the file, and prepares it for ONNX Runtime."""

from dataclasses import replace
from pathlib import Path

from compare.onnx_files.matching import exposed, padded_rows
from compare.onnx_files.reading import OnnxFile, read_onnx_file
from compare.onnx_files.staging import stage
from compare.onnx_files.structure import candidates
from compare.pipeline.context import Row, Run
from compare.runtimes.registry import GRAPH_RUNTIME, spec_of
from export.errors import BadInput


def read_file(path: Path | None) -> OnnxFile | None:
    """Read an ONNX file; None if none was named.

    Raises `BadInput` if the file cannot be used, and `CannotRun` if ONNX Runtime is not installed.
    """
    if path is None:
        return None
    spec_of(GRAPH_RUNTIME).check_installed()
    return read_onnx_file(path.expanduser())


def staged(run: Run, name: str, file: OnnxFile, layers: int) -> Row:
    """Stage an ONNX file in the run's scratch folder, and return its row. layers: its number of layers."""
    folder = run.scratch / "graphs" / name
    named = exposed(file, layers)
    found = {place: tap for place, tap in candidates(file.model.graph, layers).items() if tap not in named.values()}
    taps = found | named
    stage(file, taps, folder)
    row = Row(name, spec_of(GRAPH_RUNTIME), folder, named=True, file=file, taps=taps, found=tuple(found.values()))
    if run.padded is None:
        return row
    try:
        return replace(row, at_once=padded_rows(file, run.padded.input_ids, run.padded.attention_mask))
    except BadInput as error:
        return replace(row, unpadded=str(error))

"""The conversion stage: make the folders of the runtimes that do not load the exported graphs as they are."""

from dataclasses import replace

from compare.onnx_files.reading import read_onnx_file
from compare.pipeline.context import ModelRun, Row
from compare.pipeline.stages import CONVERSIONS
from compare.processes.child import ChildFailed
from compare.runtimes.converter import convert
from export.errors import BadInput


def convert_rows(run: ModelRun) -> None:
    """Convert the model for each row whose runtime needs that. If a conversion fails, the row keeps the reason."""
    every = {row.name: row for row in [*run.rows, *run.decoders]}
    rows = [row for row in every.values() if row.spec.converter and row.ready]
    if not rows:
        return
    run.progress.stage(CONVERSIONS, "each runtime that needs its own files gets them", of=len(rows))
    with run.untimed_phase("conversions"):
        done = {}
        for row in rows:
            run.progress.waits(row.name)
            done[row.name] = converted(run, row)
            run.progress.step(f"{row.name}: {done[row.name].unusable or 'converted'}")
    run.rows = [done.get(row.name, row) for row in run.rows]
    run.decoders = [done.get(row.name, row) for row in run.decoders]


def converted(run: ModelRun, row: Row) -> Row:
    """Convert the model for one row, and return the row with its own folder and, if it is one, its ONNX file."""
    folder = run.scratch / "graphs" / row.name
    try:
        facts = convert(
            row.spec.name,
            row.folder,
            folder,
            threads=run.threads,
            log=run.log(f"convert-{row.name}"),
            timeout=run.timeout,
        )
        graph = folder / f"{row.spec.graphs[0]}.onnx"
        file = read_onnx_file(graph) if graph.is_file() else None
    except (ChildFailed, BadInput) as error:
        why = str(error).replace(f"{folder}/", "")  # a report contains no paths
        return replace(row, unusable=f"the model could not be converted: {why}")
    taps = {} if file is None else {name: name for name in file.outputs}
    return replace(row, folder=folder, converted=facts, file=file, taps=taps)

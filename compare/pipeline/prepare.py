"""Prepare a comparison: choose the runtimes, read the files, export the model, create the inputs and the folder."""

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from compare import machine
from compare.lazy import TORCH_LIBRARIES
from compare.onnx_files.matching import check_inputs, check_model
from compare.pipeline.context import BESIDE, INPUTS, ONNX_FILE, ModelRun, Row
from compare.pipeline.file_rows import read_file, staged
from compare.pipeline.inputs import (
    PADDED,
    PADDED_TEXTS,
    Inputs,
    batch_of,
    encode,
    padded,
    sequence_length,
    tokenize,
    write_ids_and_mask,
)
from compare.pipeline.memory_needed import check_comparison, check_grid_memory
from compare.pipeline.report_folder import make_report_folder
from compare.pipeline.row_settings import check_device, check_row_settings, configured, option_notes, rows_of
from compare.pipeline.rows import check_named, chosen_runtimes
from compare.pipeline.setting_checks import check_settings
from compare.pipeline.settings import InputSettings, Settings
from compare.pipeline.shapes import Shape, shapes_of
from compare.pipeline.start_series import start_templates
from compare.runtimes.registry import GRAPH_RUNTIME, spec_of
from export.cache import Entry
from export.exporters import DEFAULT_EXPORTER
from export.exporting import export_model, exported
from export.kinds import LOGITS
from export.models import MiniTransformer
from export.progress import Progress


def prepared(model: str | MiniTransformer, settings: Settings, progress: Progress, held: ExitStack) -> ModelRun:
    """Return a run with its rows and its inputs, before anything is measured.

    model: a name, or a loaded model. progress: is told of each stage. held: ends the run's templates, and lets go of
    the report's folder. Raises `BadInput` for wrong input, and `CannotRun` if the model or a named runtime cannot run.
    """
    started = time.monotonic()
    check_settings(settings)
    wanted, named = settings.input, settings.runtimes.names or ()
    specs = chosen_runtimes(settings.runtimes.names)
    check_named(specs, named, settings.checks)
    check_row_settings(specs, settings)
    file = read_file(wanted.onnx)
    there = [spec.libraries for spec in specs if not spec.missing()]
    start_templates([TORCH_LIBRARIES, *there], settings, held, progress)
    threads = settings.runtimes.threads or machine.cores()
    check_device(settings.runtimes.device, threads=threads, timeout=settings.runtimes.timeout)
    entry = find_entry(model, wanted, settings.output.cache_dir, progress)
    if file is not None:
        check_model(file, entry.manifest.model)
    rows = rows_of(specs, settings.runtimes, entry.folder)
    beside = None
    if wanted.exporter != DEFAULT_EXPORTER and spec_of(GRAPH_RUNTIME) in specs:
        beside = find_entry(model, replace(wanted, exporter=DEFAULT_EXPORTER), settings.output.cache_dir, progress)
    inputs = main_input(entry, wanted, quick=settings.checks.quick, file_bytes=0 if file is None else file.bytes)
    if file is not None:
        check_inputs(file, inputs.input_ids, inputs.attention_mask)
    checks = replace(settings.checks, decode=settings.checks.decode and entry.manifest.decodes)
    check_named(specs, named, checks)
    grid = grid_inputs(entry, settings.latency.grid, wanted.text)
    padded_inputs = padded_input(entry, inputs)
    run = ModelRun(
        entry=entry,
        beside=beside,
        inputs=inputs,
        padded=padded_inputs,
        grid=grid,
        rows=[row for row in rows if "inspect" in row.spec.graphs],
        decoders=[row for row in rows if checks.decodes and "decode" in row.spec.graphs],
        checks=checks,
        latency=settings.latency,
        output=settings.output,
        timeout=settings.runtimes.timeout,
        threads=threads,
        out=make_report_folder(settings.output, entry.manifest.source.name, held),
        progress=progress,
        notes=stand_in_notes(model, entry) + entry.notes + option_notes(settings.runtimes),
        started=started,
    )
    for note in run.notes:
        progress.note(f"NOTE: {note}")
    run.phases["model and graphs"] = time.monotonic() - started
    write_inputs(run)
    if beside is not None:
        run.rows.append(Row(BESIDE, spec_of(GRAPH_RUNTIME), beside.folder, named=False))
    if file is not None:
        run.rows.append(staged(run, ONNX_FILE, file, entry.manifest.model["layers"]))
    run.rows, run.decoders = ([configured(row, settings.runtimes) for row in rows] for rows in (run.rows, run.decoders))
    return run


def write_inputs(run: ModelRun) -> None:
    """Write the main input and the padded input to the folders from which processes read them."""
    for folder, given in ((run.input_folder, run.inputs), (run.padded_folder(INPUTS), run.padded)):
        assert given is not None
        write_ids_and_mask(folder, given.input_ids, given.attention_mask)


def main_input(entry: Entry, wanted: InputSettings, *, quick: bool, file_bytes: int = 0) -> Inputs:
    """Return the input that is judged and timed.

    quick: as in `tokenize`. file_bytes: size of the ONNX file that is compared. Raises `BadInput` as `tokenize` does,
    and if the comparison would need more memory than there is.
    """
    facts = entry.manifest.model
    return tokenize(
        entry.folder,
        text=wanted.text,
        sequence=wanted.sequence,
        batch=wanted.batch,
        positions=facts["positions"],
        quick=quick,
        whole=facts["output"] != LOGITS,
        check=lambda length: check_comparison(facts, Shape(length, wanted.batch), file_bytes),
    )


def padded_input(entry: Entry, inputs: Inputs) -> Inputs:
    """Return the padded input of a model."""
    facts = entry.manifest.model
    return padded(
        inputs,
        positions=facts["positions"],
        vocabulary=facts["vocabulary"],
        model_folder=entry.folder,
        sequences=PADDED if facts["output"] == LOGITS else PADDED_TEXTS,
    )


def grid_inputs(entry: Entry, grid: str | None, text: str | None) -> dict[Shape, Inputs]:
    """Return the inputs of every shape of a grid; empty without one.

    Raises `BadInput` if the text has too few tokens, or the model too few positions, for a shape, or if its passes
    would need more memory than there is.
    """
    if grid is None:
        return {}
    facts = entry.manifest.model
    encoded = encode(entry.folder, text, whole=facts["output"] != LOGITS)
    found = {}
    for shape in shapes_of(grid):
        sequence_length(encoded, given=True, sequence=shape.sequence, positions=facts["positions"], setting="grid")
        check_grid_memory(facts, shape)
        found[shape] = batch_of(encoded, shape.sequence, shape.batch)
    return found


def find_entry(
    model: str | MiniTransformer, wanted: InputSettings, cache_dir: Path | None, progress: Progress
) -> Entry:
    """Return the model's entry in the cache; if there is none yet, export the model."""
    if isinstance(model, MiniTransformer):
        return export_model(model, cache_dir=cache_dir, exporter=wanted.exporter, progress=progress)
    return exported(
        model,
        offline=wanted.offline,
        fallback=wanted.fallback,
        cache_dir=cache_dir,
        exporter=wanted.exporter,
        progress=progress,
    )


def stand_in_notes(model: str | MiniTransformer, entry: Entry) -> list[str]:
    """Return a list with a note if random weights are compared instead of the requested model; else an empty list."""
    source = entry.manifest.source
    if source.kind != "seeded" or not isinstance(model, str) or model == source.name:
        return []
    return [
        f"the hub cannot be reached and {model} is not in the cache, so its architecture is compared with "
        f"RANDOM WEIGHTS ({source.name}). Latency is that of {model}; the model's predictions mean nothing"
    ]

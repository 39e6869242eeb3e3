"""Compare two ONNX files without a model: which tensors are equal bit for bit, and where the files begin to differ.

Without a model there is no golden, so rounding cannot be distinguished from a fault. The only verdicts are "identical",
"broken" and "not judged", and gaps are given in unit roundoffs of each tensor's size.
"""

import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from math import inf

import numpy as np

from compare import machine
from compare.numerics.gaps import gaps
from compare.numerics.places import place_of
from compare.onnx_files.matching import check_inputs, check_output, layers_of, width_of
from compare.onnx_files.reading import OnnxFile
from compare.pipeline import assemble, assemble_latency
from compare.pipeline.bare_rows import bare_row, with_taps_by_structure
from compare.pipeline.context import ONNX_BASELINE, ONNX_FILE, Row, Run
from compare.pipeline.file_rows import read_file, staged
from compare.pipeline.inputs import byte_inputs, write_ids_and_mask
from compare.pipeline.latency_stage import take_latency
from compare.pipeline.memory_needed import check_file
from compare.pipeline.report_folder import make_report_folder
from compare.pipeline.resume import begin, until_finished
from compare.pipeline.row_settings import check_row_settings, configured, option_notes
from compare.pipeline.row_trace import make_trace
from compare.pipeline.setting_checks import check_settings
from compare.pipeline.settings import Settings
from compare.pipeline.shapes import Shape
from compare.pipeline.stages import TRACES, stages_of
from compare.pipeline.start_series import start_templates, started_series
from compare.processes.child import ChildFailed
from compare.report.folder import finish
from compare.report.schema import Report
from compare.results.gaps import Gap
from compare.results.precisions import UNIT_ROUNDOFF
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import Verdict
from compare.runtimes.registry import GRAPH_RUNTIME, spec_of
from compare.traces import Trace
from export.errors import CannotRun
from export.kinds import LOGITS, output_among
from export.progress import SILENT, Progress


def compare_graphs(settings: Settings, progress: Progress = SILENT) -> Report:
    """Compare the ONNX file and the baseline that the settings name, in ONNX Runtime, and write the report.

    Raises `BadInput` for a file or a setting that cannot be used, and `CannotRun` if the baseline does not run.
    """
    with ExitStack() as held:
        with progress.ticking():
            run = prepared(settings, progress, held)
            begin(run, None, settings, None)
        with until_finished(run):
            return compare_prepared(run)


def compare_prepared(run: Run) -> Report:
    """Measure a prepared run, and write its report. Raises `CannotRun` if the baseline does not run."""
    progress = run.progress
    progress.plan(stages_of(run))
    with started_series(run) as series:
        with run.untimed_phase("imports, traces, gaps"):
            progress.stage(TRACES, "each file runs once, and their tensors are compared", of=len(run.rows))
            for each in series:
                progress.waits(f"{each.runtime} imports its libraries")
                each.import_libraries()
            runtimes = compare_rows(run)
        failed = {part.name for part in runtimes if part.error}
        latency = take_latency(run, series, seconds=run.time, failed=failed)
    run.phases["in all"] = time.monotonic() - run.started
    seed = run.latency.seed
    report = Report(
        **assemble.circumstances(run),
        model=None,
        input=assemble.input_part(run.inputs),
        environment=assemble.environment_part(run.threads, run.cpus, run.baseline.device),
        ruler=None,
        runtimes=runtimes,
        latency=assemble_latency.latency_parts(latency.series, seed),
        rounds=latency.rounds,
        shifts=latency.shifts,
        disturbance=assemble_latency.disturbance_part(latency.all_series, run.max_load),
        interference=assemble_latency.interference_parts(latency.interference, seed),
        self_gaps=latency.self_gaps,
        heads=[],
        phases={name: round(seconds, 3) for name, seconds in run.phases.items()},
        notes=run.notes,
    )
    report.write(run.out)
    finish(run.out)
    return report


def prepared(settings: Settings, progress: Progress, held: ExitStack) -> Run:
    """Return a run with a row for the baseline and one for the file, before anything is measured.

    held: ends the run's template, and lets go of the report's folder. Raises `BadInput` for a file or a setting that
    cannot be used, and `CannotRun` if ONNX Runtime is not installed.
    """
    started = time.monotonic()
    check_settings(settings)
    check_row_settings([], settings)
    file, other = read_file(settings.input.onnx), read_file(settings.input.baseline)
    assert file is not None and other is not None
    check_output(other)
    check_output(file, output_among(other.outputs))
    start_templates([spec_of(GRAPH_RUNTIME).libraries], settings, held, progress)
    inputs = byte_inputs(
        vocabulary_of(other),
        text=settings.input.text,
        sequence=settings.input.sequence,
        batch=settings.input.batch,
        quick=settings.checks.quick,
        check=lambda length: check_file(
            max(file.bytes, other.bytes), vocabulary_of(other), Shape(length, settings.input.batch)
        ),
    )
    for graph in (other, file):
        check_inputs(graph, inputs.input_ids, inputs.attention_mask)
    run = Run(
        inputs=inputs,
        rows=[],
        checks=settings.checks,
        latency=settings.latency,
        output=settings.output,
        timeout=settings.runtimes.timeout,
        threads=settings.runtimes.threads or machine.cores(),
        out=make_report_folder(settings.output, file.path.stem, held),
        progress=progress,
        notes=option_notes(settings.runtimes),
        started=started,
    )
    write_ids_and_mask(run.input_folder, inputs.input_ids, inputs.attention_mask)
    for name, graph in ((ONNX_BASELINE, other), (ONNX_FILE, file)):
        row = staged(run, name, graph, layers_of(graph) or 0)
        run.rows.append(configured(row, settings.runtimes))
    return run


def vocabulary_of(file: OnnxFile) -> int:
    """Return the number of tokens that a file certainly has: that of its logits, or that of a byte alphabet."""
    return (width_of(file) or 256) if LOGITS in file.outputs else 256


def compare_rows(run: Run) -> list[RuntimeResult]:
    """Trace both files. Return the row of the baseline, and the row of the file with its gaps and verdict.

    If the file does not run, its row has an error. Raises `CannotRun` if the baseline does not run.
    """
    file = run.baseline.file
    assert file is not None
    bare = [bare_row(row) for row in run.rows]
    try:
        run.progress.waits(f"{run.rows[0].name} runs")
        expected = make_trace(run, run.baseline)
    except ChildFailed as error:
        raise CannotRun(f"the baseline {file.path} does not run: {error}") from error
    run.progress.step(run.rows[0].name)
    run.progress.waits(f"{run.rows[1].name} runs")
    try:
        trace = make_trace(run, run.rows[1])
    except ChildFailed as error:
        run.progress.step(f"{run.rows[1].name}: {error}")
        return [bare[0], replace(bare[1], error=str(error))]
    baseline, other = (with_taps_by_structure(part, row.found) for part, row in zip(bare, run.rows, strict=True))
    compared = compare_traces(other, trace, expected, run)
    run.progress.step(f"{compared.name}: {compared.verdict.sentence if compared.verdict else compared.error}")
    return [baseline, compared]


def compare_traces(row: RuntimeResult, trace: Trace, expected: Trace, run: Run) -> RuntimeResult:
    """Return the file's row with its verdict and the gaps of its tensors to the baseline's, in execution order.

    expected: the baseline's trace. A tensor that was located by structure alone is left out if the shapes differ.
    """
    guessed = {name for each in run.rows for name in each.found}
    shared = expected.only(
        name
        for name in execution_order(run.rows[1])
        if name in expected and not (name in guessed and trace[name].shape != expected[name].shape)
    )
    for name, tensor in shared.items():
        if trace[name].shape != tensor.shape:
            error = f"{name} has shape {trace[name].shape}, the baseline's {tensor.shape}"
            return replace(row, error=error, verdict=broken(name, error))
    equal = {name: np.array_equal(trace[name].view(np.uint8), shared[name].view(np.uint8)) for name in shared}
    between = [
        replace(gap, bitwise=equal[gap.tensor])
        for gap in gaps(trace, shared, run.inputs.attention_mask, causal=run.causal)
    ]
    nan = next((n for n in shared if np.isnan(trace[n]).any() and not np.isnan(shared[n]).any()), None)
    differing = [gap for gap in between if not gap.bitwise]
    if nan is not None:
        verdict = broken(nan, f"{nan} has NaN where the baseline has none")
    else:
        verdict = not_judged(differing[0], shared) if differing else Verdict(kind="identical")
    unexposed = [Gap(tensor=name, exposed=False) for name in expected if name not in shared]
    return replace(row, gaps=between + unexposed, verdict=verdict)


def broken(tensor: str, note: str) -> Verdict:
    """Return the verdict "broken". note: the reason."""
    return Verdict(kind="broken", tensor=tensor, place=place_of(tensor), note=note)


def not_judged(first: Gap, exposed: Iterable[str]) -> Verdict:
    """Return the verdict "not judged" on a graph that differs from another.

    first: the gap of the first tensor that differs. exposed: the tensors that were compared.
    """
    relative = first.rms / first.size / UNIT_ROUNDOFF if first.rms is not None and first.size else inf
    note = f"by {relative:.2g} unit roundoffs of its size"
    return Verdict(kind="not judged", tensor=first.tensor, place=place_of(first.tensor, set(exposed)), note=note)


def execution_order(row: Row) -> list[str]:
    """Return the taps of a row's graph in execution order."""
    assert row.file is not None
    made = [output for node in row.file.model.graph.node for output in node.output]
    places = {name: place for place, name in enumerate(made)}
    return [row.taps[name] for name in sorted(row.taps, key=lambda name: places.get(name, -1))]

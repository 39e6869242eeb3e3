"""Compare a model across runtimes: graphs, golden, traces, gaps, latency, decoding, report.

Nothing else runs during the rounds that measure latency.
"""

import time
from contextlib import ExitStack
from dataclasses import replace

from compare.latency.series import Role, of_role
from compare.pipeline import assemble, assemble_latency
from compare.pipeline.assemble_limits import computes_in_float32, limits_part
from compare.pipeline.context import ModelRun
from compare.pipeline.conversion_stage import convert_rows
from compare.pipeline.decode_stage import Decoding, take_decoding
from compare.pipeline.latency_stage import Latency, take_latency
from compare.pipeline.numerics_stage import Measured, measure, numerics_of
from compare.pipeline.prepare import prepared
from compare.pipeline.recheck_stage import judge_timed
from compare.pipeline.resume import Begun, begin, until_finished
from compare.pipeline.second_look import confirm_alarms
from compare.pipeline.settings import Settings
from compare.pipeline.stages import stages_of
from compare.pipeline.start_series import started_series
from compare.report.folder import finish
from compare.report.schema import Report
from export.models import MiniTransformer
from export.progress import SILENT, Progress

#: The share of `time` for forward passes; the rest is for decoding.
PASSES = 1 / 2


def compare(
    model: str | MiniTransformer, settings: Settings, progress: Progress = SILENT, earlier: Begun | None = None
) -> Report:
    """Compare a model across runtimes and write `report.json` into the report's folder. Figures are not drawn here.

    model: a name for `export.sources.find`, or a loaded model, which is compared in its current state. progress: is
    told of each stage. earlier: how the run began that is resumed, if one is. Raises `BadInput` for wrong input, and
    `CannotRun` if the model or a named runtime cannot run. If another runtime fails, its row of the report has an
    error.
    """
    with ExitStack() as held:
        with progress.ticking():
            run = prepared(model, settings, progress, held)
            name = model if isinstance(model, str) else model.provenance.name
            begin(run, name, settings, earlier)
        with until_finished(run):
            return compare_prepared(run, name)


def compare_prepared(run: ModelRun, name: str) -> Report:
    """Measure a prepared run, and write its report. name: the model's name as it was given."""
    progress = run.progress
    progress.plan(stages_of(run))
    convert_rows(run)
    with started_series(run) as started, numerics_of(run) as numerics:
        with run.untimed_phase("golden, controls, traces, gaps"):
            found = measure(run, started, numerics)
        found = replace(found, runtimes=confirm_alarms(run, found.runtimes, numerics))
        progress.results(runtimes=found.runtimes)
        failed = {row.name for row in found.runtimes if row.error}
        passes = run.time * (PASSES if run.checks.decode else 1)
        steps = run.time - passes
        latency = take_latency(run, started, seconds=passes, failed=failed)
        latency = replace(latency, self_gaps=judge_timed(run, latency.self_gaps, numerics))
        decoding = take_decoding(run, started, numerics, first=latency.rounds, seconds=steps, failed=failed)
    run.phases["in all"] = time.monotonic() - run.started
    report = assembled(run, name, found, latency, decoding)
    report.write(run.out)
    finish(run.out)
    return report


def assembled(run: ModelRun, asked_for: str, found: Measured, latency: Latency, decoding: Decoding) -> Report:
    """Return the report of all results. asked_for: the model's name as it was given."""
    seed = run.latency.seed
    limits = limits_part(latency.series, found.work)
    narrow = {runtime.name for runtime in found.runtimes if not computes_in_float32(runtime)}
    baseline = of_role(Role.BASELINE, latency.series)
    return Report(
        **assemble.circumstances(run),
        model=assemble.model_part(run.entry, asked_for=asked_for),
        input=assemble.input_part(run.inputs, run.padded),
        environment=assemble.environment_part(run.threads, run.cpus, run.baseline.device),
        ruler=found.ruler,
        controls=found.controls,
        runtimes=found.runtimes,
        latency=assemble_latency.latency_parts(latency.series, seed, limits, narrow),
        rounds=latency.rounds,
        shifts=latency.shifts,
        disturbance=assemble_latency.disturbance_part([*latency.all_series, *decoding.series], run.max_load),
        last=assemble_latency.last_part(latency.last, baseline, seed) if latency.last else None,
        decoding=assemble_latency.decode_parts(run.decoders, decoding, seed, limits, narrow),
        decode_rounds=decoding.rounds,
        limits=limits,
        interference=assemble_latency.interference_parts(latency.interference, seed),
        grid=assemble_latency.grid_parts(latency.cells, seed),
        exporters=assemble_latency.exporters_part(run.entry, run.beside, found.between, latency.series, seed),
        self_gaps=latency.self_gaps,
        observer=assemble_latency.observer_part(latency.observer, seed) if latency.observer else None,
        heads=found.heads,
        phases={name: round(seconds, 3) for name, seconds in run.phases.items()},
        notes=run.notes,
    )

"""The main job, top to bottom: a model, its graphs, golden, one trace a runtime, gaps, latency, decoding, a report.

While one runtime's trace is weighed, the next one is made. Nothing runs beside the rounds, in which latency is taken.
"""

import time

from compare.latency.worker_process import Timing
from compare.pipeline import assemble, assemble_limits
from compare.pipeline.context import ModelRun, Say
from compare.pipeline.decode_stage import Decoding, take_decoding
from compare.pipeline.grid import grid_parts
from compare.pipeline.interference import interference_parts
from compare.pipeline.latency_stage import Latency, take_latency, workers_of
from compare.pipeline.numerics_stage import Measured, measure, numerics_of
from compare.pipeline.prepare import prepared
from compare.pipeline.recheck_stage import judge_timed
from compare.pipeline.second_look import look_again
from compare.pipeline.settings import Settings
from compare.report.schema import Report
from export.models import MiniTransformer

#: The part of `--time` that forward passes get; decoding gets the rest.
PASSES = 1 / 2


def compare(model: str | MiniTransformer, settings: Settings, say: Say = lambda _: None) -> Report:
    """Compare a model across runtimes and write the report into its folder; figures are the renderers' business.

    model: a name for `export.sources.find`, or a loaded model, which is compared as it is now. Raises `BadInput` and
    `CannotRun` for what a person can mend; a runtime that fails is a row of the report.
    """
    run = prepared(model, settings, say)
    with workers_of(run) as workers, numerics_of(run) as numerics:
        with run.phase("golden, controls, traces, gaps"):
            found = measure(run, workers, numerics)
        look_again(run, found.runtimes, numerics)
        failed = {row.name for row in found.runtimes if row.error}
        passes = settings.seconds * (PASSES if settings.decode else 1)
        steps = settings.seconds - passes
        latency = take_latency(run, workers, seconds=passes, failed=failed)
        judge_timed(run, latency.self_gaps, numerics)
        decoding = take_decoding(run, workers, numerics, first=latency.rounds, seconds=steps, failed=failed)
    run.phases["in all"] = time.monotonic() - run.started
    name = model if isinstance(model, str) else model.provenance.name
    report = assembled(run, name, found, latency, decoding, [worker.timing for worker in workers])
    report.write(run.out)
    return report


def assembled(
    run: ModelRun, asked_for: str, found: Measured, latency: Latency, decoding: Decoding, timings: list[Timing]
) -> Report:
    """Everything that was measured, as the report has it. asked_for: the model's name as it was given."""
    seed = run.settings.seed
    passes = assemble.latency_parts(timings, seed)
    limits = assemble_limits.limits_part(timings, found.work)
    everyone = [*timings, *decoding.timings, *latency.further_timings]
    assemble_limits.hold_against_limits(passes, decoding.rows, found.runtimes, limits, seed)
    return Report(
        **assemble.circumstances(run.settings),
        model=assemble.model_part(run.entry, asked_for=asked_for),
        input=assemble.input_part(run.inputs, run.padded),
        environment=assemble.environment_part(run.threads, run.cpus),
        ruler=assemble.ruler_part(found.ruler),
        controls=found.controls,
        runtimes=found.runtimes,
        latency=passes,
        rounds=latency.rounds,
        shifts=latency.shifts,
        disturbance=assemble.disturbance_part(everyone, run.max_load),
        last=latency.last,
        decoding=decoding.rows,
        decode_rounds=decoding.rounds,
        limits=limits,
        interference=interference_parts(latency.interference, seed),
        grid=grid_parts(latency.cells, seed),
        exporters=assemble.exporters_part(run.entry, run.beside, found.between, timings, seed),
        self_gaps=latency.self_gaps,
        observer=latency.observer,
        heads=assemble.head_parts(found.heads),
        phases={name: round(seconds, 3) for name, seconds in run.phases.items()},
        notes=run.notes,
    )

"""Start the worker processes of a comparison, and give the series of each process its role in the rounds."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from compare import machine
from compare.latency.machine_limits import BANDWIDTH, COMPUTE
from compare.latency.series import Role, Series
from compare.latency.worker_process import WorkerProcess
from compare.pipeline.context import ModelRun, Row, Run
from compare.pipeline.setting_checks import cpus_for
from compare.pipeline.settings import Settings
from compare.processes.templates import template
from compare.runtimes.registry import BASELINE, GRAPH_RUNTIME
from export.progress import SILENT, Progress


def start_templates(
    libraries: Iterable[Sequence[str]], settings: Settings, templates: ExitStack, progress: Progress = SILENT
) -> None:
    """Start the templates from which processes are forked later, and which import libraries until then.

    libraries: those of each kind of process. templates: ends the templates. progress: gets a note if a template fails.
    Timed processes that are pinned have templates of their own, because libraries count CPUs when they are imported.
    """
    threads = settings.runtimes.threads or machine.cores()
    pinned = settings.latency.pin and settings.checks.latency
    for each in dict.fromkeys(map(tuple, libraries)):
        for cpus in (None, cpus_for(threads)) if pinned else (None,):
            templates.enter_context(template(each, threads=threads, cpus=cpus, say=progress.note))


@contextmanager
def started_series(run: Run) -> Iterator[list[Series]]:
    """Start the processes of a run and yield their series. On exit, end the processes.

    The list is empty if latency is off. A later stage that starts further processes appends their series to it.
    """
    started: list[Series] = []
    try:
        for start_some in (start_passes, start_limits, start_decoders) if run.checks.latency else ():
            started.extend(start_some(run))  # one by one: if one cannot start, those before it are ended
        started.sort(key=lambda each: each.role is not Role.BASELINE)
        yield started
    finally:
        for process in dict.fromkeys(each.process for each in started):
            process.end()


def start_passes(run: Run) -> Iterator[Series]:
    """Start series for all rows that can be timed and the A/A control; in a thorough run, also for further graphs.

    The further graphs are those of the row onnxruntime. The processes do not load models yet. The A/A control is
    started first: it imports its libraries while others wait for those of their template.
    """
    timed = [row for row in run.rows if not row.spec.hybrid and row.ready]
    roles = with_control(timed)
    further = (Role.OBSERVER, Role.LAST_POSITION) if run.checks.thorough else ()
    own = [row for row in timed if row.name == GRAPH_RUNTIME]
    roles += [(row, role) for row in own for role in further if (row.folder / f"{role.graph}.onnx").is_file()]
    for place, (row, role) in sorted(enumerate(roles), key=lambda each: each[1][1] is not Role.CONTROL):
        process = start(
            run,
            row,
            f"latency-{place}-{row.name}",
            forked=role is not Role.CONTROL,
            out=run.self_folder(row.name, role.graph),
            variants=run.variants_folder,
            positions=run.positions,
        )
        yield Series(process, role, role.graph)


def with_control(rows: Sequence[Row]) -> list[tuple[Row, Role]]:
    """Return each row with its role. The baseline is first, once as itself and once as the A/A control."""
    baseline = [row for row in rows if row.is_baseline]
    return [
        *((row, role) for row in baseline for role in (Role.BASELINE, Role.CONTROL)),
        *((row, Role.RUNTIME) for row in rows if not row.is_baseline),
    ]


def start_decoders(run: Run) -> Iterator[Series]:
    """Start a series for every runtime that only decodes. Others decode in the process of their forward passes."""
    if not isinstance(run, ModelRun):
        return
    others = {row.name for row in run.rows}
    for row in run.decoders:
        if row.name not in others and row.ready:
            yield start_decoder(run, row, Role.RUNTIME)


def start_decoder(run: ModelRun, row: Row, role: Role) -> Series:
    """Start a series whose process only decodes."""
    log = f"decode-{row.name}{'-again' if role is Role.CONTROL else ''}"
    process = start(
        run, row, log, forked=role is not Role.CONTROL, out=run.self_folder(row.name), positions=run.positions
    )
    return Series(process, role, "decode")


def start_limits(run: Run) -> Iterator[Series]:
    """Start a series for each limit of the machine; none for two ONNX files, because their work is not counted."""
    if run.baseline.name != BASELINE:
        return
    for limit in (COMPUTE, BANDWIDTH):
        process = start(run, run.baseline, f"latency-{limit.name}", holds=limit.name)
        yield Series(process, Role.LIMIT, Role.LIMIT.graph)


def start(
    run: Run, row: Row, log: str, *, holds: str | None = None, forked: bool = True, **more: object
) -> WorkerProcess:
    """Start a worker process for a row or for a limit of the machine, and name it after that.

    log: the name of its log. holds: the limit of the machine that it runs instead of the row's runtime. forked: whether
    it may be forked from a template. The A/A control is not, so that it would show an effect of forking. more: further
    keys of its job.
    """
    run.progress.detail(f"a process for {holds or row.name} starts; log {run.log(log)}")
    job = {"runtime": holds or row.spec.name, "model": row.folder, "inputs": run.input_folder}
    job |= {"arguments": row.arguments, **more}
    return WorkerProcess(
        holds or row.name,
        job,
        threads=run.threads,
        log=run.log(log),
        timeout=run.timeout,
        cpus=run.cpus,
        max_load=run.max_load,
        libraries=row.spec.libraries if forked else (),
        python=row.spec.python,
    )

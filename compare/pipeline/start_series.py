"""The worker processes of a comparison are started: a series for each, with the role that its row has in the rounds."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from compare.latency.machine_limits import BANDWIDTH, COMPUTE
from compare.latency.series import Role, Series
from compare.latency.worker_process import WorkerProcess
from compare.pipeline.context import ModelRun, Row, Run
from compare.runtimes.registry import BASELINE, GRAPH_RUNTIME


@contextmanager
def started_series(run: Run) -> Iterator[list[Series]]:
    """The series of a run, their processes started, while this is open; then these end and the scratch folder goes.

    Empty if latency is off. Whoever starts further processes meanwhile appends their series.
    """
    started = [*start_passes(run), *start_limits(run), *start_decoders(run)] if run.checks.latency else []
    try:
        yield started
    finally:
        for process in dict.fromkeys(each.process for each in started):
            process.end()
        if not run.output.keep_traces:
            shutil.rmtree(run.scratch, ignore_errors=True)
        remove_if_empty(run.out / "logs")


def start_passes(run: Run) -> list[Series]:
    """A series for every row that can be timed, the A/A control, and further graphs of the row that has them.

    All processes sleep at once; their libraries are imported while the traces run, because importing is not timed.
    """
    timed = [row for row in run.rows if not row.spec.hybrid and not row.spec.missing()]
    roles = with_control(timed)
    roles += [(row, role) for row in timed if row.name == GRAPH_RUNTIME for role in (Role.OBSERVER, Role.LAST_POSITION)]
    started = []
    for place, (row, role) in enumerate(roles):
        process = start(
            run,
            row,
            f"latency-{place}-{row.name}",
            out=run.self_folder(row.name, role.graph),
            rungs=run.rungs_folder,
            positions=run.positions,
        )
        started.append(Series(process, role, role.graph))
    return started


def with_control(rows: Sequence[Row]) -> list[tuple[Row, Role]]:
    """Each row with its role in the rounds: the baseline's also as the A/A control, the baseline's two first."""
    baseline = [row for row in rows if row.is_baseline]
    return [
        *((row, role) for row in baseline for role in (Role.BASELINE, Role.CONTROL)),
        *((row, Role.RUNTIME) for row in rows if not row.is_baseline),
    ]


def start_decoders(run: Run) -> list[Series]:
    """A series for every runtime that decodes and does nothing else; the others go on from passes to steps."""
    if not isinstance(run, ModelRun):
        return []
    others = {row.name for row in run.rows}
    rows = [row for row in run.decoders if row.name not in others and not row.spec.missing()]
    return [start_decoder(run, row, Role.RUNTIME) for row in rows]


def start_decoder(run: ModelRun, row: Row, role: Role) -> Series:
    """A series whose process does nothing but decode."""
    log = f"decode-{row.name}{'-again' if role is Role.CONTROL else ''}"
    return Series(start(run, row, log, out=run.self_folder(row.name), positions=run.positions), role, "decode")


def start_limits(run: Run) -> list[Series]:
    """A series for each of the machine's limits; none if two ONNX files are compared: their work is not counted."""
    if run.baseline.name != BASELINE:
        return []
    return [
        Series(start(run, run.baseline, f"latency-{limit.name}", holds=limit.name), Role.LIMIT, Role.LIMIT.graph)
        for limit in (COMPUTE, BANDWIDTH)
    ]


def start(run: Run, row: Row, log: str, *, holds: str | None = None, **more: object) -> WorkerProcess:
    """A worker process for a row; holds: the limit of the machine that it holds instead; more: further keys of its job.

    Its name is that of the row or limit.
    """
    job = {"runtime": holds or row.spec.name, "model": row.folder, "inputs": run.input_folder, **more}
    return WorkerProcess(
        holds or row.name,
        job,
        threads=run.threads,
        log=run.log(log),
        timeout=run.timeout,
        cpus=run.cpus,
        max_load=run.max_load,
    )


def remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()

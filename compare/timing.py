"""The latency of a comparison: a worker for every row that can be timed, loaded one by one, then rounds in turns."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compare.latency.limits import BANDWIDTH, COMPUTE
from compare.latency.rounds import Worker, run_rounds
from compare.run import Run
from compare.runtimes.registry import BASELINE, GRAPH_RUNTIME


@contextmanager
def workers_of(run: Run) -> Iterator[list[Worker]]:
    """The latency workers of a run, while this is open; then they are ended, and the scratch folder goes."""
    workers = [*start_workers(run), *limit_workers(run)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.end()
        if not run.settings.keep_traces:
            shutil.rmtree(run.scratch, ignore_errors=True)
        remove_if_empty(run.out / "logs")


def start_workers(run: Run) -> list[Worker]:
    """A latency worker for every runtime that can be timed, and the baseline twice: the second is the A/A row.

    The last is for the graph that exposes every tap, where one is among the rows: what the taps cost. All sleep at
    once; their libraries are imported while the traces run, because importing is not timed.
    """
    timed = [row for row in run.rows if not row.spec.hybrid and not row.spec.missing()]
    observed = [row for row in timed if row.name == GRAPH_RUNTIME]
    rows = [run.rows[0], *timed, *observed]
    return [
        Worker(
            row.name,
            {
                "runtime": row.spec.name,
                "model": row.folder,
                "graph": "inspect" if place >= len(rows) - len(observed) else "deploy",
                "inputs": run.input_folder,
                "rungs": run.rungs_folder,
                "out": run.self_folder(row.name),
            },
            threads=run.threads,
            log=run.log(f"latency-{place}-{row.name}"),
            timeout=run.settings.timeout,
            again=place == 1,
        )
        for place, row in enumerate(rows)
    ]


def limit_workers(run: Run) -> list[Worker]:
    """A worker for each of the machine's limits; none where two ONNX files are compared: their work is not counted."""
    if run.rows[0].spec.name != BASELINE:
        return []
    job = {"model": run.rows[0].folder, "graph": "limit", "inputs": run.input_folder}
    return [
        Worker(
            limit.name,
            {**job, "runtime": limit.name},
            threads=run.threads,
            log=run.log(f"latency-{limit.name}"),
            timeout=run.settings.timeout,
        )
        for limit in (COMPUTE, BANDWIDTH)
    ]


def load_workers(workers: list[Worker], failed: set[str]) -> None:
    """Load the models, one process after another; a runtime that failed to trace has no place in the rounds."""
    for worker in workers:
        if worker.timing.runtime in failed:
            worker.give_up("not timed, because its trace failed")
        worker.load()


def take_rounds(run: Run, workers: list[Worker], failed: set[str]) -> int:
    """Load the models, then the rounds of latency; what failed to trace takes no part. Returns how many there were."""
    with run.phase("load for latency"):
        load_workers(workers, failed)
    seconds = run.settings.seconds
    run.say(f"timing {sum(worker.alive for worker in workers)} processes in turns for {seconds:g} s")
    with run.phase("rounds"):
        return run_rounds(workers, seconds=seconds, seed=run.settings.seed)


def remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()

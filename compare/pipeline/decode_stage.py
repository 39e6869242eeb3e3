"""Decoding with a cache of keys and values: rounds of short generations, then whether each cache is right.

A stage of its own after the forward passes: the baseline decodes too, every runtime that can takes its turn, and the
machine's bandwidth is measured in the same rounds. What was timed is then checked, in the process that was timed.
"""

import shutil
from dataclasses import dataclass, field

from compare.latency.decoding import prefills
from compare.latency.machine_limits import BANDWIDTH
from compare.latency.worker_process import Timing, Worker
from compare.numerics.process import Numerics
from compare.numerics.verdicts import Kind, Verdict
from compare.pipeline import assemble
from compare.pipeline.context import ModelRun
from compare.pipeline.latency_stage import decoder, shifts, take_rounds
from compare.pipeline.recheck_stage import logits_verdict
from compare.report.gap_parts import VerdictPart
from compare.report.latency_parts import DecodePart
from compare.traces import Trace


@dataclass
class Decoding:
    """What the decoders showed. rows: the baseline's first, then its second process. rounds: over all shifts.

    timings: what the rows were made from.
    """

    rows: list[DecodePart] = field(default_factory=list)
    rounds: int = 0
    timings: list[Timing] = field(default_factory=list)


def take_decoding(
    run: ModelRun, workers: list[Worker], numerics: Numerics, *, first: int, seconds: float, failed: set[str]
) -> Decoding:
    """Rounds of short generations, numbered from `first` on, for so many seconds; then each cache is checked.

    failed: the rows whose trace failed; they have no place in the rounds. Raises `CannotRun` where the numerics fail.
    """
    if not run.decoders:
        return Decoding()
    decoders = decoders_of(run, workers)
    bandwidth = [worker for worker in workers if worker.timing.runtime == BANDWIDTH.name]
    checks: dict[str, dict[str, VerdictPart]] = {}
    number = first
    for shift in shifts(run, decoders + bandwidth, failed):
        number = take_rounds(run, shift, seconds, first=number)
        with run.phase("decode checks"):
            for worker in [*decoders[:1], *shift.late]:
                if worker.alive and worker.timing.runtime not in checks:
                    checks[worker.timing.runtime] = check(run, worker, numerics)
    timings = [worker.timing for worker in decoders]
    named = {row.name for row in run.decoders if row.named}
    rows = [
        assemble.decode_part(
            timing,
            timings[0],
            checks.get(timing.runtime, {}),
            run.settings.seed,
            named=timing.runtime in named,
        )
        for timing in timings
    ]
    return Decoding(rows + not_installed(run), number - first, timings)


def decoders_of(run: ModelRun, workers: list[Worker]) -> list[Worker]:
    """A worker for every runtime that decodes, the baseline's pair first; all others but the limits' are ended.

    A process that took turns in the forward passes goes on with the other graph; one that was ended with an earlier
    shift is started again, and stands among the workers then.
    """
    found = []
    rows = [row for row in run.decoders if not row.spec.missing()]
    kept = {(worker.timing.runtime, worker.timing.again): worker for worker in workers if _goes_on(worker)}
    for place, row in enumerate(rows[:1] + rows):
        again = place == 1
        worker = kept.pop((row.name, again), None)
        if worker is None:
            worker = decoder(run, row, again=again)
            worker.import_libraries()
            workers.append(worker)
        elif worker.timing.graph != "decode":
            worker = worker.handed_over("decode")
        found.append(worker)
    processes = {worker.pid for worker in found}
    for worker in workers:
        if worker.timing.graph != "limit" and worker.pid not in processes:
            worker.end()  # its rounds are over, and memory is dear
    return found


def _goes_on(worker: Worker) -> bool:
    return worker.timing.graph in ("deploy", "decode") and not worker.ended


def check(run: ModelRun, worker: Worker, numerics: Numerics) -> dict[str, VerdictPart]:
    """Positions prefilled -> the verdict over the logits of the whole text, the rest of it decoded step by step.

    The limits are those of a runtime that exposes nothing but logits.
    """
    name = worker.timing.runtime
    found = {}
    for prefill in prefills(run.inputs.input_ids.shape[1]):
        error = worker.follow(prefill)
        if error is not None:
            found[str(prefill)] = assemble.verdict_part(Verdict(Kind.BROKEN, note=error))
            continue
        folder = run.self_folder(name) / f"follow-{prefill}"
        found[str(prefill)] = logits_verdict(run, Trace(folder), numerics)
        shutil.rmtree(folder)
    run.say(f"{name} decodes: {', '.join(dict.fromkeys(verdict.kind for verdict in found.values()))}")
    return found


def not_installed(run: ModelRun) -> list[DecodePart]:
    """A row for each runtime that would decode and is not installed, with the command that installs it."""
    return [
        DecodePart(runtime=row.name, again=False, error=f"needs {', '.join(row.spec.missing())}: {row.spec.install}")
        for row in run.decoders
        if row.spec.missing()
    ]

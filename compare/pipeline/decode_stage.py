"""Decoding with a cache of keys and values: rounds of short generations, then whether each cache is right.

A stage of its own after the forward passes: the baseline decodes too, every runtime that can takes its turn, and the
machine's bandwidth is measured in the same rounds. What was timed is then checked, in the process that was timed.
"""

import shutil
from dataclasses import dataclass, field

from compare.latency.decoding import prefills
from compare.latency.machine_limits import BANDWIDTH
from compare.latency.series import Role, Series
from compare.numerics.process import Numerics
from compare.pipeline.context import ModelRun
from compare.pipeline.latency_stage import shifts_of, take_rounds
from compare.pipeline.recheck_stage import logits_verdict
from compare.pipeline.start_series import start_decoder, with_control
from compare.results.verdicts import Verdict
from compare.traces import Trace


@dataclass
class Decoding:
    """What the decoders showed."""

    #: The series of every runtime that decodes and is installed.
    series: list[Series] = field(default_factory=list)
    #: How many rounds there were, over all shifts.
    rounds: int = 0
    #: Row -> positions prefilled -> the verdict over the logits of the whole text, decoded from there on.
    checks: dict[str, dict[str, Verdict]] = field(default_factory=dict)


def take_decoding(
    run: ModelRun, started: list[Series], numerics: Numerics, *, first: int, seconds: float, failed: set[str]
) -> Decoding:
    """Rounds of short generations, numbered from `first` on, for so many seconds; then each cache is checked.

    failed: the rows whose trace failed; they have no place in the rounds. Raises `CannotRun` where the numerics fail.
    """
    if not run.decoders:
        return Decoding()
    bandwidth = [each for each in started if each.runtime == BANDWIDTH.name]
    decoding = Decoding(decoders_of(run, started))
    number = first
    for shift in shifts_of(run, [*decoding.series, *bandwidth], failed):
        number = take_rounds(run, shift, seconds, first=number)
        with run.phase("decode checks"):
            for each in shift.rows:
                if each.alive and each.role is not Role.CONTROL and each.runtime not in decoding.checks:
                    decoding.checks[each.runtime] = check(run, each, numerics)
    decoding.rounds = number - first
    return decoding


def decoders_of(run: ModelRun, started: list[Series]) -> list[Series]:
    """A series for every runtime that decodes, and the A/A control; all other processes but the limits' are ended.

    A process that took turns in the forward passes goes on with the other graph; for one that was ended with an earlier
    shift another is started, whose series is put among those started.
    """
    rows = [row for row in run.decoders if not row.spec.missing()]
    kept = {(each.runtime, each.role): each for each in started if each.role.has_row and not each.process.ended}
    decoders = []
    for row, role in with_control(rows):
        series = kept.get((row.name, role))
        if series is None:
            series = start_decoder(run, row, role)
            series.import_libraries()
            started.append(series)
        decoders.append(series if series.decodes else series.decoding())
    going_on = {each.process for each in decoders}
    for each in started:
        if each.role is not Role.LIMIT and each.process not in going_on:
            each.process.end()  # its rounds are over, and memory is dear
    return decoders


def check(run: ModelRun, series: Series, numerics: Numerics) -> dict[str, Verdict]:
    """Positions prefilled -> the verdict over the logits of the whole text, the rest of it decoded step by step.

    The limits are those of a runtime that exposes nothing but logits.
    """
    name = series.runtime
    found = {}
    for prefill in prefills(run.inputs.input_ids.shape[1]):
        error = series.process.follow(prefill)
        if error is not None:
            found[str(prefill)] = Verdict(kind="broken", note=error)
            continue
        folder = run.self_folder(name) / f"follow-{prefill}"
        found[str(prefill)] = logits_verdict(run, Trace(folder), numerics)
        shutil.rmtree(folder)
    run.say(f"{name} decodes: {', '.join(dict.fromkeys(verdict.kind for verdict in found.values()))}")
    return found

"""The decode stage: time short generations with a cache of keys and values, then check each cache.

It comes after the forward passes. The baseline and all other runtimes that can decode take turns, and the machine's
memory bandwidth is measured in the same rounds. Each cache is then checked in the process that was timed.
"""

import shutil
from dataclasses import dataclass, field

from compare.latency.decoding import FEW_STEPS, STEPS, prefills
from compare.latency.machine_limits import BANDWIDTH
from compare.latency.series import Role, Series
from compare.numerics.process import Numerics
from compare.pipeline.context import ModelRun
from compare.pipeline.latency_stage import shifts_of, take_rounds
from compare.pipeline.recheck_stage import output_verdict
from compare.pipeline.stages import DECODE_CHECKS, DECODING
from compare.pipeline.start_series import start_decoder, with_control
from compare.results.verdicts import Verdict
from compare.traces import Trace


@dataclass
class Decoding:
    """The results of the decode stage."""

    #: The series of every runtime that decodes and is installed.
    series: list[Series] = field(default_factory=list)
    #: The number of rounds, over all shifts.
    rounds: int = 0
    #: Row -> length of the prefill -> verdict on the logits of the whole text, with the rest decoded step by step.
    checks: dict[str, dict[str, Verdict]] = field(default_factory=dict)


def take_decoding(
    run: ModelRun, started: list[Series], numerics: Numerics, *, first: int, seconds: float, failed: set[str]
) -> Decoding:
    """Time short generations in rounds, then check each cache.

    started: the series of all started processes. first: the number of the first round. seconds: the time limit of the
    rounds. failed: the rows whose trace failed; they are not timed. Raises `CannotRun` if the numerics process fails.
    """
    if not run.decoders:
        return Decoding()
    bandwidth = [each for each in started if each.runtime == BANDWIDTH.name]
    decoding = Decoding(decoders_of(run, started))
    number = first
    for shift in shifts_of(run, [*decoding.series, *bandwidth], failed):
        number = take_rounds(run, shift, seconds, first=number, stage=DECODING, shown=decoding.series)
        checked = [each for each in shift.rows if each.alive and each.role is not Role.CONTROL]
        checked = [each for each in checked if each.runtime not in decoding.checks]
        what = "each runtime decodes the text with its cache, and its logits are compared with golden"
        run.progress.stage(DECODE_CHECKS, what, of=len(checked))
        with run.untimed_phase("decode checks"):
            for each in checked:
                decoding.checks[each.runtime] = check(run, each, numerics)
    decoding.rounds = number - first
    return decoding


def decoders_of(run: ModelRun, started: list[Series]) -> list[Series]:
    """Return a series for the A/A control and every runtime that decodes; end other processes, except the limits'.

    A process that was timed in the forward passes is used again, with the decode graph. If it ended with an earlier
    shift, or in a step after the rounds, a new process is started, and its series is appended to `started`. A runtime
    that failed in the forward passes does not decode.
    """
    rows = [row for row in run.decoders if row.ready]
    usable = [each for each in started if each.role.has_row and (each.error or not each.process.ended)]
    kept = {(each.runtime, each.role): each for each in usable}
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
            each.process.end()  # to free its memory
    return decoders


def check(run: ModelRun, series: Series, numerics: Numerics) -> dict[str, Verdict]:
    """Check a runtime's cache: prefill some positions of the text, decode the rest step by step, and judge the logits.

    A thorough run does so with every prefill, others with the longest one, which needs the fewest steps, as does a
    runtime that is too slow for the rounds. After the first prefill, each position has a step of its own; after the
    others, one call takes the positions after `FEW_STEPS`. Returns length of the prefill -> verdict. The limits are
    those of a runtime that exposes only logits.
    """
    name = series.runtime
    found: dict[str, Verdict] = {}
    lengths = prefills(run.inputs.input_ids.shape[1])
    for prefill in lengths if run.checks.thorough and not series.too_slow else lengths[-1:]:
        run.progress.waits(f"{name} decodes after a prefill of {prefill} positions")
        error = series.process.follow(prefill, FEW_STEPS if found else STEPS)
        if error is not None:
            found[str(prefill)] = Verdict(kind="broken", note=error)
            continue
        folder = run.self_folder(name) / f"follow-{prefill}"
        found[str(prefill)] = output_verdict(run, name, Trace(folder), numerics)
        shutil.rmtree(folder)
    kinds = dict.fromkeys(verdict.kind for verdict in found.values())
    run.progress.step(f"verdict on the cache of {name}: {', '.join(kinds)}")
    return found

"""The second look: if the verdict on a runtime is an alarm, trace the runtime again in fresh processes.

A process can be wrong by chance, as in torch's first call of a function (`compare.numerics.first_calls`). A single run
does not show whether this happened or the runtime has a fault. Without an alarm nothing is traced again.
"""

from collections.abc import Sequence
from dataclasses import replace

from compare.numerics.gaps import WrongShape
from compare.numerics.padded_verdicts import worse
from compare.numerics.process import Numerics
from compare.numerics.several_runs import agreed, is_alarm
from compare.pipeline.context import GOLDEN, ModelRun, Row
from compare.pipeline.padding_stage import judge_padded
from compare.pipeline.resume import save
from compare.pipeline.row_trace import fitting, make_trace, weighed
from compare.pipeline.stages import SECOND_LOOK
from compare.processes.child import ChildFailed
from compare.results.gaps import evidence_of
from compare.results.runtimes import FurtherRun, RuntimeResult
from compare.results.verdicts import Verdict
from compare.traces import Trace

#: The number of runs that decide the verdict of a runtime whose first run is an alarm.
RUNS = 3


def confirm_alarms(run: ModelRun, runtimes: Sequence[RuntimeResult], numerics: Numerics) -> list[RuntimeResult]:
    """Trace each runtime whose verdict is an alarm in further processes, and judge it by all of its runs.

    runtimes: one for each row of the run. Returns the same rows with these verdicts; gaps, heads and decisions stay
    those of the first run. Raises `CannotRun` if the numerics process fails.
    """
    return [_confirmed(run, row, runtime, numerics) for row, runtime in zip(run.rows, runtimes, strict=True)]


def _confirmed(run: ModelRun, row: Row, runtime: RuntimeResult, numerics: Numerics) -> RuntimeResult:
    """Return a row after its second look; one without an alarm, or that has had one, is returned unchanged."""
    if runtime.verdict is None or runtime.again or not is_alarm(runtime.verdict, runtime):
        return runtime
    what = f"{row.name} is {runtime.verdict.kind}, so it is traced again in {RUNS - 1} fresh processes"
    run.progress.stage(SECOND_LOOK, what, of=RUNS - 1)
    further = []
    with run.untimed_phase("second look"):
        for number in range(2, RUNS + 1):
            further.append(further_run(run, row, number, numerics))
            run.progress.step(f"run {number}: {further[-1][0].sentence}")
    verdict = agreed([runtime.verdict, *(verdict for verdict, _ in further)])
    run.progress.waits(f"{row.name}: {verdict.sentence}")
    confirmed = replace(runtime, verdict=verdict, again=[part for _, part in further])
    save(run, confirmed)
    return confirmed


def further_run(run: ModelRun, row: Row, number: int, numerics: Numerics) -> tuple[Verdict, FurtherRun]:
    """Trace and judge a row once more, in a fresh process. Return the verdict and its evidence."""
    golden = Trace(run.scratch / GOLDEN)
    try:
        trace = fitting(make_trace(run, row, run.scratch / "again" / f"{row.name}-{number}"), row, golden)
    except (ChildFailed, WrongShape) as error:
        return Verdict(kind="broken", note=str(error)), FurtherRun()
    trace, known, verdict = weighed(run, row, trace, numerics)
    padding = judge_padded(run, row, verdict, trace, numerics)
    return worse(padding), FurtherRun(evidence=evidence_of(known.values()), padding=padding)

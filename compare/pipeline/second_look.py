"""The second look: if the verdict on a runtime is an alarm, trace the runtime again in fresh processes.

A process can be wrong by chance, as in torch's first call of a function (`compare.numerics.first_calls`). A single run
does not show whether this happened or the runtime has a fault. Without an alarm nothing is traced again.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from compare.numerics.gaps import WrongShape
from compare.numerics.process import Numerics
from compare.pipeline.context import GOLDEN, ModelRun, Row
from compare.pipeline.padding_stage import judge_padded, worse
from compare.pipeline.resume import save
from compare.pipeline.row_trace import fitting, make_trace, weighed
from compare.pipeline.stages import SECOND_LOOK
from compare.processes.child import ChildFailed
from compare.results.gaps import evidence_of
from compare.results.runtimes import FurtherRun, RuntimeResult
from compare.results.verdicts import VERDICTS, Verdict
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


def is_alarm(verdict: Verdict, runtime: RuntimeResult) -> bool:
    """Whether a verdict is worse than rounding, unless it is a reduced precision that was asked for.

    A reduced precision was asked for if the runtime declares one, or if its ONNX file has quantized operators or
    weights in half precision.
    """
    graph = runtime.graph
    asked_for = runtime.precision != "float32" or (graph is not None and bool(graph.quantized or graph.halves))
    return verdict.kind in ("different", "broken") or (verdict.kind == "reduced precision" and not asked_for)


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


def agreed(runs: Sequence[Verdict]) -> Verdict:
    """Combine the verdicts on several runs of a runtime into one, which keeps them in its field `runs`.

    If all verdicts have the same kind and the same first tensor, the result is that of the first run. Otherwise, if
    every run is "different" or "broken", the result is that of the mildest run. Otherwise it is "unsteady", and its
    note gives the number of runs for each verdict.

    >>> facts = dict(statistic="max", multiple=400.0)
    >>> off = Verdict(kind="different", tensor="context.0", place="layer 0, attention", **facts)
    >>> fine = Verdict(kind="rounding", tensor="context.1", place="layer 1, attention", **facts)
    >>> agreed([off, fine, fine]).sentence
    'unsteady: different in 1 of 3 runs, first at layer 0, attention; otherwise rounding'
    >>> agreed([off, off, off]).kind
    'different'
    """
    first = runs[0]
    if all(_place(run) == _place(first) for run in runs):
        return replace(first, runs=list(runs))
    mildest, worst = min(runs, key=_rank), max(runs, key=_rank)
    counted = "; ".join(_counted(runs))
    if _rank(mildest) > VERDICTS.index("unsteady"):
        note = "; ".join(filter(None, (mildest.note, counted)))
        return replace(mildest, note=note, runs=list(runs))
    return replace(worst, kind="unsteady", padded="", note=counted, runs=list(runs))


def _place(verdict: Verdict) -> tuple[str, str | None, bool]:
    """Return what must be equal for runs to agree: kind, first tensor, and whether it is on the padded input."""
    return verdict.kind, verdict.tensor, bool(verdict.padded)


def _rank(verdict: Verdict) -> int:
    return VERDICTS.index(verdict.kind)


def _counted(runs: Sequence[Verdict]) -> Iterator[str]:
    """Yield the number of runs for each verdict, the worst first, then one phrase for the runs without an alarm."""
    within = VERDICTS.index("rounding")
    worst_first = sorted(runs, key=_rank, reverse=True)
    alarms = Counter((run.kind, run.padded, run.place) for run in worst_first if _rank(run) > within)
    for (kind, padded, place), number in alarms.items():
        where = f" {padded}" if padded else ""
        yield f"{kind}{where} in {number} of {len(runs)} runs" + (f", first at {place}" if place else "")
    if others := dict.fromkeys(run.kind for run in runs if _rank(run) <= within):
        yield f"otherwise {' or '.join(others)}"

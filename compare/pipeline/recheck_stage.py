"""After the rounds: each runtime's logits against its own under other circumstances, and what exposing taps changes.

The processes that were timed hold the models already, and are not timed any more: a rung may change their threads. So
the baseline, which is timed in every shift, has its turn when all are over.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compare.latency.series import Role, Series, of_role
from compare.numerics.diagnostics.rerun_variants import Rung, logit_gap, rungs
from compare.numerics.gaps import WrongShape, check_shapes
from compare.numerics.process import Numerics
from compare.numerics.verdicts import judge
from compare.pipeline.context import GOLDEN, Run
from compare.processes.child import ChildFailed
from compare.results.gaps import evidence_of
from compare.results.reruns import SelfGapsPart
from compare.results.verdicts import Verdict
from compare.traces import Trace, write_trace
from export.errors import CannotRun


@dataclass(frozen=True)
class Observer:
    """What exposing every tap does to a graph, in one runtime."""

    #: Of the inspect graph, which exposes every tap.
    inspect: Series
    #: Of the deploy graph, which exposes logits alone.
    deploy: Series
    #: How often the inspect graph runs each operator in one pass; empty if that is not known.
    inspect_operators: Mapping[str, int]
    #: The same of the deploy graph.
    deploy_operators: Mapping[str, int]
    #: The largest difference of a logit between the two; None if either gave none.
    gap: float | None


@dataclass(frozen=True)
class LastPosition:
    """What the graph that gives the logits of the last position alone showed."""

    #: Of that graph.
    series: Series
    #: Of the deploy graph in the same runtime.
    deploy: Series
    #: The largest difference of a logit at that position; None if either gave none.
    gap: float | None


def make_ladder(run: Run) -> list[Rung]:
    """The rungs of the run's input, their inputs written where worker processes find them.

    Of the plain run, which is judged, all sequences are kept, of the others the first.
    """
    ladder = list(rungs(run.inputs.input_ids, run.inputs.attention_mask, threads=run.threads))
    for rung in ladder:
        tensors = {"input_ids": rung.input_ids, "attention_mask": rung.attention_mask}
        facts = {"threads": rung.threads, "sequences": len(rung.input_ids) if rung is ladder[0] else 1}
        write_trace(run.rungs_folder / rung.name, tensors, facts)
    return ladder


def self_gaps(run: Run, series: Sequence[Series], ladder: list[Rung]) -> list[SelfGapsPart]:
    """A row for each of the runtimes that was timed: its own gaps, rung by rung."""
    timed = [each for each in series if each.alive and each.role in (Role.BASELINE, Role.RUNTIME)]
    return [climb(run, each, ladder) for each in timed]


def beside_baseline(run: Run, rows: list[SelfGapsPart]) -> list[SelfGapsPart]:
    """The rows with anything in them, each with the gap of its plain run to the baseline's where both are there."""
    baseline = run.baseline.name
    theirs = _plain(run, baseline)
    for row in rows:
        mine = _plain(run, row.runtime)
        if row.runtime != baseline and (gap := _gap(run, mine, theirs)) is not None:
            row.gaps[baseline] = gap
    return [row for row in rows if row.gaps or row.missing]


def judge_timed(run: Run, rows: list[SelfGapsPart], numerics: Numerics) -> list[SelfGapsPart]:
    """The rows with a verdict over the logits of what was timed, which need not be the graph that shows its taps.

    Raises `CannotRun` if the numerics fail.
    """

    def judged(row: SelfGapsPart) -> SelfGapsPart:
        plain = _plain(run, row.runtime)
        return row if plain is None else replace(row, verdict=logits_verdict(run, plain, numerics))

    with run.phase("runs again"):
        return [judged(row) for row in rows]


def logits_verdict(run: Run, trace: Trace, numerics: Numerics) -> Verdict:
    """The verdict over a trace that has nothing but logits; of another shape than golden's they are broken.

    Raises `CannotRun` where the numerics fail.
    """
    try:
        check_shapes(trace, Trace(run.scratch / GOLDEN))
        weighed = numerics.weigh(trace.folder)
    except WrongShape as error:
        return Verdict(kind="broken", note=str(error))
    except ChildFailed as error:
        raise CannotRun(f"the logits in {trace.folder.name} could not be weighed: {error}") from error
    return judge(evidence_of(weighed.values()), bitwise=False)


def climb(run: Run, series: Series, ladder: list[Rung]) -> SelfGapsPart:
    """One runtime's row."""
    row = SelfGapsPart(runtime=series.runtime)
    for rung in ladder:
        length = rung.input_ids.shape[1]
        if run.positions is not None and length > run.positions:
            row.missing[rung.name] = f"it takes {length:,} positions and the model has {run.positions:,}"
        elif (error := series.process.rung(rung.name)) is not None:
            row.missing[rung.name] = error
        elif (plain := _plain(run, row.runtime)) is not None and rung is not ladder[0]:
            found = Trace(run.self_folder(row.runtime) / rung.name)
            row.gaps[rung.name] = logit_gap(plain["logits"], found["logits"], run.inputs.attention_mask)
            shutil.rmtree(found.folder)
    return row


def observer(run: Run, series: Sequence[Series]) -> Observer | None:
    """The inspect graph next to the deploy graph, once the plain logits are there; None if no graph was timed."""
    inspect = of_role(Role.OBSERVER, series)
    if inspect is None:
        return None
    deploy, folder = _row_of(inspect, series), run.scratch / inspect.runtime
    return Observer(
        inspect,
        deploy,
        inspect_operators=_operators(inspect),
        deploy_operators=_operators(deploy),
        gap=_gap(run, Trace(folder) if folder.is_dir() else None, _plain(run, inspect.runtime)),
    )


def last_position(run: Run, series: Sequence[Series]) -> LastPosition | None:
    """The graph that gives the logits of the last position alone, once the plain logits are there; None without one."""
    last = of_role(Role.LAST_POSITION, series)
    if last is None:
        return None
    gap, plain = None, _plain(run, last.runtime)
    if last.alive and plain is not None and last.process.rung("plain") is None:
        found = Trace(run.self_folder(last.runtime, last.graph) / "plain")["logits"]
        gap = float(np.abs(np.asarray(found[0, -1], np.float64) - plain["logits"][0, -1]).max())
    return LastPosition(last, _row_of(last, series), gap)


def _operators(series: Series) -> dict[str, int]:
    """How often each operator runs in one pass; empty if that is not known."""
    return series.process.operators() if series.alive else {}


def _row_of(other: Series, series: Sequence[Series]) -> Series:
    """The row of the runtime that another series is of."""
    return next(each for each in series if each.role.has_row and each.runtime == other.runtime)


def _gap(run: Run, first: Trace | None, second: Trace | None) -> float | None:
    """The largest difference of a logit; None where one is not there, or has another shape and is broken therefore."""
    if first is None or second is None or first["logits"].shape != second["logits"].shape:
        return None
    return logit_gap(first["logits"], second["logits"], run.inputs.attention_mask)


def _plain(run: Run, row: str) -> Trace | None:
    """The deploy graph's logits on the inputs as they are, where it gave any."""
    folder = run.self_folder(row) / "plain"
    return Trace(folder) if folder.is_dir() else None

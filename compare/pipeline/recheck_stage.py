"""The reruns after the rounds: each runtime's output under other circumstances, and the observer effect.

Reruns use the processes that were timed, because these have loaded the models. A rerun may change the number of
threads, so a process is not timed after its reruns. So the baseline, which is timed in every shift, is rerun last.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compare.latency.series import Role, Series, of_role
from compare.numerics.diagnostics.rerun_variants import Variant, make_variants, output_gap
from compare.numerics.gaps import WrongShape, check_shapes
from compare.numerics.process import Numerics
from compare.numerics.verdicts import judge
from compare.pipeline.context import GOLDEN, Run
from compare.pipeline.inputs import write_ids_and_mask
from compare.processes.child import ChildFailed
from compare.results.gaps import evidence_of
from compare.results.reruns import RerunGaps
from compare.results.verdicts import Verdict
from compare.traces import Trace, is_whole
from export.errors import CannotRun


@dataclass(frozen=True)
class Observer:
    """The observer effect in one runtime: what exposing every tap does to a graph."""

    #: The series of the inspect graph, which exposes every tap.
    inspect: Series
    #: The series of the deploy graph, which exposes the model's output alone.
    deploy: Series
    #: How often the inspect graph runs each operator in one pass; empty if that is not known.
    inspect_operators: Mapping[str, int]
    #: How often the deploy graph runs each operator in one pass; empty if that is not known.
    deploy_operators: Mapping[str, int]
    #: The largest difference between the outputs of the two; None if one of them has none.
    gap: float | None


@dataclass(frozen=True)
class LastPosition:
    """The results of the graph that gives the logits of the last position alone."""

    #: The series of that graph.
    series: Series
    #: The series of the deploy graph in the same runtime.
    deploy: Series
    #: The largest difference between their logits at that position; None if one of them has none.
    gap: float | None


def write_variants(run: Run) -> list[Variant]:
    """Return the rerun variants of the run's input, and write their inputs to the folders that worker processes read.

    Unless the run is thorough, these are the plain run and one that changes nothing. The plain run, which is judged,
    keeps the output of all sequences; the other variants keep that of the first.
    """
    inputs = run.inputs
    variants = list(make_variants(inputs.input_ids, inputs.attention_mask, threads=run.threads, causal=run.causal))
    if not run.checks.thorough:
        variants = variants[:2]
    for variant in variants:
        facts = {"threads": variant.threads, "sequences": len(variant.input_ids) if variant is variants[0] else 1}
        write_ids_and_mask(run.variants_folder / variant.name, variant.input_ids, variant.attention_mask, facts)
    return variants


def self_gaps(run: Run, series: Sequence[Series], variants: list[Variant]) -> list[RerunGaps]:
    """Rerun each runtime that was timed. Return a row for each, with its gap in every variant.

    variants: the variants, the plain run first.
    """
    timed = [each for each in series if each.alive and each.role in (Role.BASELINE, Role.RUNTIME)]
    rows = []
    for each in timed:
        run.progress.waits(f"{each.runtime}, in {len(variants)} ways")
        rows.append(rerun(run, each, variants))
    return rows


def with_baseline_gap(run: Run, rows: list[RerunGaps]) -> list[RerunGaps]:
    """Return the rows that are not empty, and add the gap between their plain runs and the baseline's.

    The gap is left out if one of the two has no output.
    """
    baseline = run.baseline.name
    expected = _plain(run, baseline)

    def compared(row: RerunGaps) -> RerunGaps:
        gap = None if row.runtime == baseline else _gap(run, _plain(run, row.runtime), expected)
        return row if gap is None else replace(row, gaps={**row.gaps, baseline: gap})

    return [row for row in map(compared, rows) if row.gaps or row.missing]


def judge_timed(run: Run, rows: list[RerunGaps], numerics: Numerics) -> list[RerunGaps]:
    """Return the rows, each with a verdict on the output of the timed graph.

    Raises `CannotRun` if the numerics process fails.
    """

    def judged(row: RerunGaps) -> RerunGaps:
        plain = _plain(run, row.runtime)
        return row if plain is None else replace(row, verdict=output_verdict(run, row.runtime, plain, numerics))

    with run.untimed_phase("runs again"):
        run.progress.waits("the output of each runtime is compared with golden")
        return [judged(row) for row in rows]


def output_verdict(run: Run, name: str, trace: Trace, numerics: Numerics) -> Verdict:
    """Return the verdict on a trace that has only the model's output: "broken" if its shape is not golden's.

    name: the row. Raises `CannotRun` if the numerics process fails.
    """
    try:
        check_shapes(trace, Trace(run.scratch / GOLDEN))
        weighed = numerics.weigh(trace.folder, run.precision_of(name))
    except WrongShape as error:
        return Verdict(kind="broken", note=str(error))
    except ChildFailed as error:
        raise CannotRun(
            f"the gap of the {run.output_name} in {trace.folder.name} could not be computed: {error}"
        ) from error
    return judge(evidence_of(weighed.values()), bitwise=False)


def rerun(run: Run, series: Series, variants: list[Variant]) -> RerunGaps:
    """Rerun one runtime in every variant, and return its row. The plain run is the first of `variants`.

    A runtime that was too slow for the rounds only repeats the plain run, because no verdict uses the other variants.
    """
    name = series.runtime
    gaps: dict[str, float] = {}
    missing: dict[str, str] = {}
    for variant in variants:
        length = variant.input_ids.shape[1]
        if run.positions is not None and length > run.positions:
            missing[variant.name] = f"it needs {length:,} positions, but the model has only {run.positions:,}"
        elif series.too_slow and variant not in variants[:2]:
            missing[variant.name] = f"its first call took {series.first_call_s:.2g} s, and the rerun is not judged"
        elif (error := series.process.rerun(variant.name)) is not None:
            missing[variant.name] = error
        elif (plain := _plain(run, name)) is not None and variant is not variants[0]:
            trace = Trace(run.self_folder(name) / variant.name)
            gaps[variant.name] = output_gap(plain[run.output_name], trace[run.output_name], run.inputs.attention_mask)
            shutil.rmtree(trace.folder)
    return RerunGaps(runtime=name, gaps=gaps, missing=missing)


def observer(run: Run, series: Sequence[Series]) -> Observer | None:
    """Compare the inspect graph with the deploy graph, after the plain rerun; None if no ONNX graph was timed."""
    inspect = of_role(Role.OBSERVER, series)
    deploy = _row_of(inspect, series)
    if inspect is None or deploy is None:
        return None
    folder = run.scratch / inspect.runtime
    return Observer(
        inspect,
        deploy,
        inspect_operators=_operators(inspect),
        deploy_operators=_operators(deploy),
        gap=_gap(run, Trace(folder) if is_whole(folder) else None, _plain(run, inspect.runtime)),
    )


def last_position(run: Run, series: Sequence[Series]) -> LastPosition | None:
    """Compare the graph for the last position with the deploy graph, after the plain rerun; None if not timed."""
    last = of_role(Role.LAST_POSITION, series)
    row = _row_of(last, series)
    if last is None or row is None:
        return None
    gap, plain = None, _plain(run, last.runtime)
    if last.alive and plain is not None and last.process.rerun("plain") is None:
        found = Trace(run.self_folder(last.runtime, last.graph) / "plain")["logits"]
        gap = float(np.abs(np.asarray(found[0, -1], np.float64) - plain["logits"][0, -1]).max())
    return LastPosition(last, row, gap)


def _operators(series: Series) -> dict[str, int]:
    """Return how often a series' graph runs each operator in one pass; empty if that is not known."""
    return series.process.operators() if series.alive else {}


def _row_of(other: Series | None, series: Sequence[Series]) -> Series | None:
    """Return the series that is the row of another series' runtime; None if there is none, or no longer."""
    if other is None:
        return None
    return next((each for each in series if each.role.has_row and each.runtime == other.runtime), None)


def _gap(run: Run, first: Trace | None, second: Trace | None) -> float | None:
    """Return the largest difference between two traces' outputs; None if one is missing, or if their shapes differ."""
    output = run.output_name
    if first is None or second is None or first[output].shape != second[output].shape:
        return None
    return output_gap(first[output], second[output], run.inputs.attention_mask)


def _plain(run: Run, row: str) -> Trace | None:
    """Return the output of a row's plain rerun, with the deploy graph on the run's input; None if missing."""
    folder = run.self_folder(row) / "plain"
    return Trace(folder) if is_whole(folder) else None

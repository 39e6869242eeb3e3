"""Create the report's rows of latency from series of samples: one function for each kind of row."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from compare.latency.disturbance import visible
from compare.latency.grid import Cell
from compare.latency.interference import Interference, Pair
from compare.latency.series import Role, Series, of_role
from compare.latency.statistics import paired_ratio, typical
from compare.pipeline.assemble_limits import share_of_peak
from compare.pipeline.assemble_samples import generations_of, process_of, samples_of, turns_of
from compare.pipeline.context import BESIDE, Row
from compare.pipeline.decode_stage import Decoding
from compare.pipeline.recheck_stage import LastPosition, Observer
from compare.pipeline.shapes import Shape
from compare.results.gaps import Gap
from compare.results.latency import (
    DecodeRow,
    Disturbance,
    GridCell,
    InterferenceRow,
    LastPositionRow,
    LatencyRow,
    Ratio,
    TurnRecord,
)
from compare.results.machine_limits import MachineLimits
from compare.results.reruns import ExporterComparison, ObserverEffect
from compare.results.verdicts import Verdict
from compare.runtimes.registry import GRAPH_RUNTIME
from export.cache import Entry

#: The largest number of disturbing processes that a report names.
MOST_PROCESSES = 5


def latency_parts(
    series: Sequence[Series], seed: int, limits: MachineLimits | None = None, narrow: Collection[str] = ()
) -> list[LatencyRow]:
    """Return the rows of latency, in the order of their series. limits, narrow: see `share_of_peak`."""
    baseline = of_role(Role.BASELINE, series)
    return [
        LatencyRow(
            **samples_of(each, baseline, seed),
            **process_of(each),
            of_peak=share_of_peak(each, limits, narrow, seed),
        )
        for each in series
        if each.role.has_row
    ]


def last_part(last: LastPosition, baseline: Series | None, seed: int) -> LastPositionRow:
    """Return the times of the graph for the last position, with ratios to the baseline and to the deploy graph."""
    return LastPositionRow(
        **samples_of(last.series, baseline, seed),
        **process_of(last.series),
        to_deploy=paired_ratio(last.series.turns, last.deploy.turns, seed),
        gap=last.gap,
    )


def decode_parts(
    rows: Sequence[Row], decoding: Decoding, seed: int, limits: MachineLimits | None, narrow: Collection[str]
) -> list[DecodeRow]:
    """Return a row for each series that decoded, and one for each decoding runtime that cannot run."""
    baseline, named = of_role(Role.BASELINE, decoding.series), {row.name for row in rows if row.named}
    parts = [
        decode_part(
            each,
            baseline,
            seed,
            named=each.runtime in named,
            checks=decoding.checks.get(each.runtime, {}),
            of_peak=share_of_peak(each, limits, narrow, seed),
        )
        for each in decoding.series
    ]
    return parts + [
        DecodeRow(
            runtime=row.name,
            again=False,
            error=row.unusable or row.spec.needs(),
            named=row.named,
        )
        for row in rows
        if not row.ready
    ]


def decode_part(
    series: Series,
    baseline: Series | None,
    seed: int,
    *,
    named: bool = False,
    checks: Mapping[str, Verdict],
    of_peak: Ratio | None = None,
) -> DecodeRow:
    """Return the times of a series' steps and prefills with the verdicts on its cache, or its error if it failed."""
    return DecodeRow(
        **samples_of(series, baseline, seed),
        **process_of(series),
        **generations_of(series, baseline, seed),
        named=named,
        checks=dict(checks),
        of_peak=of_peak,
    )


def observer_part(observer: Observer, seed: int) -> ObserverEffect:
    """Return the ratio of the inspect graph's time to the deploy graph's, and how their operators differ."""
    inspect, deploy = observer.inspect_operators, observer.deploy_operators
    counted = bool(inspect and deploy)
    names = sorted({*inspect, *deploy}) if counted else []
    pairs = {name: (inspect.get(name, 0), deploy.get(name, 0)) for name in names}
    return ObserverEffect(
        runtime=observer.inspect.runtime,
        error=observer.inspect.error or observer.deploy.error,
        ratio=paired_ratio(observer.inspect.turns, observer.deploy.turns, seed),
        nodes=(sum(inspect.values()), sum(deploy.values())) if counted else None,
        operators={name: counts for name, counts in pairs.items() if counts[0] != counts[1]},
        gap=observer.gap,
        **turns_of(observer.inspect),
    )


def exporters_part(
    chosen: Entry, default: Entry | None, between: dict[str, Gap], series: Sequence[Series], seed: int
) -> ExporterComparison | None:
    """Return the comparison of two exporters' graphs; None if only one exporter was compared."""
    if default is None or not between:
        return None
    largest: dict[str, float] = {}
    for name, gap in between.items():
        kind = name.partition(".")[0]
        if gap.max is not None:
            largest[kind] = max(largest.get(kind, 0.0), gap.max)
    turns = {each.runtime: each.turns for each in series if each.alive and each.role.has_row}
    first, second = turns.get(GRAPH_RUNTIME), turns.get(BESIDE)
    return ExporterComparison(
        runtime=GRAPH_RUNTIME,
        chosen=chosen.manifest.exporter,
        default=default.manifest.exporter,
        gaps=largest,
        ratio=paired_ratio(first, second, seed) if first and second else None,
        graph_bytes=(chosen.bytes, default.bytes),
    )


def interference_parts(interference: Interference, seed: int) -> list[InterferenceRow]:
    """Return a row for each pair of series, in order; none if interference is off."""
    pairs = list(interference.pairs.values())
    baseline = next((pair for pair in pairs if pair.alone.role is Role.BASELINE), None)
    return [interference_part(pair, baseline, seed) for pair in pairs]


def interference_part(pair: Pair, baseline: Pair | None, seed: int) -> InterferenceRow:
    """Return a row's times alone and with the others awake, or its error if it failed."""
    fields: dict[str, Any] = {}
    alone, beside = pair.alone.turns, pair.beside.turns
    if pair.error is None:
        fields["alone_ms"], fields["beside_ms"] = (typical(turns) / 1e6 if turns else None for turns in (alone, beside))
        fields["slowdown"] = paired_ratio(beside, alone, seed)
        if baseline is not None and pair is not baseline:
            fields["ratio_alone"] = paired_ratio(alone, baseline.alone.turns, seed)
            fields["ratio_beside"] = paired_ratio(beside, baseline.beside.turns, seed)
    return InterferenceRow(
        runtime=pair.alone.runtime,
        again=pair.alone.role is Role.CONTROL,
        error=pair.error,
        alone=TurnRecord(**turns_of(pair.alone)),
        beside=TurnRecord(**turns_of(pair.beside)),
        **fields,
    )


def grid_parts(cells: Mapping[Shape, Cell], seed: int) -> list[GridCell]:
    """Return the rows of each cell. They have no load time, first call or memory."""
    return [
        GridCell(
            sequence=shape.sequence,
            batch=shape.batch,
            rounds=cell.rounds,
            latency=[
                LatencyRow(**samples_of(each, of_role(Role.BASELINE, cell.series.values()), seed))
                for each in cell.series.values()
            ],
        )
        for shape, cell in cells.items()
    ]


def disturbance_part(series: Iterable[Series], max_load: float) -> Disturbance | None:
    """Return the share of CPU time that other processes used in all attempts; None if nothing was timed."""
    series = list(series)
    loads = [load for each in series for attempts in each.loads.values() for load in attempts]
    seconds = sum(load.seconds for load in loads)
    if not seconds:
        return None
    processes: dict[str, float] = {}
    for load in loads:
        for name, part in load.names.items():
            processes[name] = processes.get(name, 0.0) + part * load.seconds / seconds
    largest = sorted(processes.items(), key=lambda item: -item[1])[:MOST_PROCESSES]
    return Disturbance(
        max_load=max_load,
        attempts=len(loads),
        disturbed=sum(len(attempts) for each in series for attempts in each.disturbed.values()),
        others=sum(load.others * load.seconds for load in loads) / seconds,
        stolen=sum(load.stolen * load.seconds for load in loads) / seconds,
        processes=dict(largest),
        sees=visible(),
    )

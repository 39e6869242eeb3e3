"""Create the report's rows of the machine's limits, and the shares of these limits that runtimes reached."""

from collections.abc import Collection, Sequence

from compare.latency.machine_limits import BANDWIDTH, COMPUTE, Limit, LimitSpec
from compare.latency.series import Role, Series
from compare.latency.statistics import relative_spread, typical
from compare.pipeline.assemble_samples import measured, turns_of
from compare.results.latency import Ratio
from compare.results.machine_limits import LimitRow, MachineLimits, Work
from compare.results.runtimes import RuntimeResult


def limits_part(series: Sequence[Series], work: Work | str | None) -> MachineLimits | None:
    """Return the machine's limits and the model's work.

    work: the work, or the reason why it could not be counted. Returns None if `work` is None.
    """
    if work is None:
        return None
    compute, bandwidth = (limit_part(series, spec) for spec in (COMPUTE, BANDWIDTH))
    if isinstance(work, str):
        return MachineLimits(compute=compute, bandwidth=bandwidth, work=None, uncounted=work)
    return MachineLimits(compute=compute, bandwidth=bandwidth, work=work)


def limit_part(every: Sequence[Series], spec: LimitSpec) -> LimitRow:
    """Return one limit's samples and statistics, or its error if it failed."""
    series = next(each for each in every if each.role is Role.LIMIT and each.runtime == spec.name)
    if not measured(series):
        return LimitRow(name=spec.name, error=series.error or "it had no undisturbed turn", **turns_of(series))
    limit = Limit(int(series.facts[spec.unit]), series.turns)
    return LimitRow(
        name=spec.name,
        per_call=limit.per_call,
        per_second=limit.per_second,
        median_ms=typical(series.turns) / 1e6,
        spread=relative_spread([sample for turn in series.turns.values() for sample in turn]),
        **turns_of(series),
    )


def share_of_peak(series: Series, limits: MachineLimits | None, narrow: Collection[str], seed: int) -> Ratio | None:
    """Return the share of a limit that was reached: of compute by a forward pass, of bandwidth by a decode step.

    narrow: the rows that compute in a lower precision than float32. The result is None for these, because limits are
    measured in float32, and also if there are no limits or no work, or if the series failed.
    """
    if limits is None or limits.work is None or series.error is not None or series.runtime in narrow:
        return None
    if series.decodes:
        return share_of(limits.bandwidth, series.turns, limits.work.decode_bytes, seed)
    return share_of(limits.compute, series.turns, limits.work.prefill_flops, seed)


def share_of(part: LimitRow, turns: dict[int, list[int]], work: int, seed: int) -> Ratio | None:
    """Return the share of a limit that some turns reached; None if the limit is not known.

    part: the limit. turns: turns of the same rounds, such as those of prefills or of decode steps. work: FLOPs or bytes
    of one call, in the limit's unit.
    """
    if part.per_call is None:
        return None
    return Limit(part.per_call, part.turns).share(turns, work, seed)


def computes_in_float32(runtime: RuntimeResult) -> bool:
    """Whether a runtime computes in float32, in which limits are measured, as far as is known."""
    narrower = runtime.verdict is not None and runtime.verdict.kind == "reduced precision"
    quantized = runtime.graph is not None and bool(runtime.graph.quantized)
    return runtime.precision == "float32" and not narrower and not quantized

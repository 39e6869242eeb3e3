"""What the machine can do beside what the runtimes did: from a limit's samples to the parts of the report."""

from collections.abc import Sequence

from compare.latency.machine_limits import BANDWIDTH, COMPUTE, Limit, LimitSpec
from compare.latency.statistics import relative_spread, typical
from compare.latency.worker_process import Timing
from compare.numerics.diagnostics.model_work import Work
from compare.pipeline.assemble import ratio_part, turns_of
from compare.report.gap_parts import RuntimePart
from compare.report.latency_parts import DecodePart, LatencyPart, LimitPart, LimitsPart, RatioPart, WorkPart


def limits_part(timings: Sequence[Timing], work: Work | str | None) -> LimitsPart | None:
    """The machine's limits as they were measured in the rounds, and the model's work; None without that."""
    if work is None:
        return None
    compute, bandwidth = (limit_part(timings, spec) for spec in (COMPUTE, BANDWIDTH))
    if isinstance(work, str):
        return LimitsPart(compute=compute, bandwidth=bandwidth, work=None, uncounted=work)
    return LimitsPart(compute=compute, bandwidth=bandwidth, work=WorkPart.model_validate(work._asdict()))


def limit_part(timings: Sequence[Timing], spec: LimitSpec) -> LimitPart:
    """One limit's samples, and what they say; where it failed, why."""
    timing = next(t for t in timings if t.graph == "limit" and t.runtime == spec.name)
    if timing.error is not None or not timing.turns:
        error = timing.error or "it had no undisturbed turn"
        return LimitPart(name=spec.name, error=error, **turns_of(timing))
    limit = Limit(int(timing.facts[spec.unit]), timing.turns)
    return LimitPart(
        name=spec.name,
        per_call=limit.per_call,
        per_second=limit.per_second,
        median_ms=typical(timing.turns) / 1e6,
        spread=relative_spread([sample for turn in timing.turns.values() for sample in turn]),
        **turns_of(timing),
    )


def share_of(part: LimitPart, turns: dict[int, list[int]], work: int, seed: int) -> RatioPart | None:
    """Which part of a limit was reached in turns of `work` FLOPs or bytes a call; None where the limit is not known.

    It takes any turns of the same rounds: a prefill's with its FLOPs and the compute limit, a decode step's with its
    bytes and the bandwidth.
    """
    if part.per_call is None:
        return None
    return ratio_part(Limit(part.per_call, part.turns).share(turns, work, seed))


def hold_against_limits(
    latency: Sequence[LatencyPart],
    decoding: Sequence[DecodePart],
    runtimes: Sequence[RuntimePart],
    limits: LimitsPart | None,
    seed: int,
) -> None:
    """Fill in what part of the machine's matrix products each float32 row reached, and decoding of its bandwidth."""
    if limits is None or limits.work is None:
        return
    narrow = {runtime.name for runtime in runtimes if not computes_in_float32(runtime)}
    for step in decoding:
        if step.runtime not in narrow and step.error is None:
            step.of_peak = share_of(limits.bandwidth, step.turns, limits.work.decode_bytes, seed)
    for row in latency:
        if row.runtime not in narrow and row.error is None:
            row.of_peak = share_of(limits.compute, row.turns, limits.work.prefill_flops, seed)


def computes_in_float32(runtime: RuntimePart) -> bool:
    """Whether the limits, measured in float32, are this runtime's: nothing that it does is known to be narrower."""
    narrower = runtime.verdict is not None and runtime.verdict.kind == "reduced precision"
    quantized = runtime.graph is not None and bool(runtime.graph.quantized)
    return runtime.precision == "float32" and not narrower and not quantized

"""Derive the verdict on a run, and the place where a difference begins, from its errors in units of rounding.

Local errors are checked first, in the order of execution, and then accumulated errors, whose limits are wider.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Literal

from compare.numerics.places import SEGMENTS, hidden_segments, place_of
from compare.results.gaps import TensorEvidence
from compare.results.precisions import LOWER
from compare.results.verdict_limits import LIMITS, Limits
from compare.results.verdicts import Verdict, VerdictWord
from export.kinds import output_among

#: The precision that a verdict names for a graph with quantized operators.
QUANTIZED = "quantized"


def judge(
    evidence: Mapping[str, TensorEvidence], *, bitwise: bool, limits: Limits = LIMITS, quantized: Sequence[str] = ()
) -> Verdict:
    """Return the verdict on one run.

    evidence: by tensor, in the order of execution. bitwise: whether everything exposed equals the baseline's bit for
    bit. limits: `LIMITS` by default. quantized: the graph's operators that compute with quantized numbers, which the
    verdict names. They are needed because the size of errors does not identify eight-bit integers: errors are as large
    as those of bf16 if all weights are of similar size, and otherwise do not fit any precision.
    """
    excused = _excused(evidence, limits) if quantized else frozenset()
    verdict = placed(_judge(evidence, bitwise, limits, excused), evidence)
    if verdict.kind in ("reduced precision", "different") and any(found.own for found in evidence.values()):
        return judge_lower(evidence, limits)
    operators = ", ".join(quantized)
    if verdict.precision == QUANTIZED:
        return replace(verdict, note=f"inferred from the graph's operators ({operators}), not from its values")
    if quantized and verdict.kind == "different":
        note = f"the graph's operators ({operators}) are quantized, which may be why"
        return replace(verdict, note="; ".join(filter(None, (verdict.note, note))))
    return verdict


def judge_lower(evidence: Mapping[str, TensorEvidence], limits: Limits = LIMITS) -> Verdict:
    """Return the verdict on a run in a lower precision, from its errors in floors of that precision.

    evidence: by tensor, in the order of execution; tensors without evidence of their own are left out. The limits are
    those of float32, but no precision is inferred from the size of errors, because that is what hides a fault.
    """
    own = own_evidence(evidence)
    precision = next(found.own.precision for found in evidence.values() if found.own is not None)
    verdict = placed(_judge(own, bitwise=False, limits=limits, excused=frozenset(), lower={}), own)
    kind: VerdictWord | Literal["not judged"] = "reduced precision" if verdict.kind == "rounding" else verdict.kind
    return replace(verdict, kind=kind, precision=precision, own=True)


def own_evidence(evidence: Mapping[str, TensorEvidence]) -> dict[str, TensorEvidence]:
    """Return the evidence with errors in floors of the run's own precision instead of float32."""
    return {
        name: replace(found, local=found.own.local, accumulated=found.own.accumulated)
        for name, found in evidence.items()
        if found.own is not None
    }


def placed(verdict: Verdict, exposed: Collection[str]) -> Verdict:
    """Return the verdict with the place of its tensor in words. exposed: the names of the run's tensors."""
    return replace(verdict, place=place_of(verdict.tensor, exposed)) if verdict.tensor else verdict


def _judge(
    evidence: Mapping[str, TensorEvidence],
    bitwise: bool,
    limits: Limits,
    excused: frozenset[str],
    lower: Mapping[str, float] = LOWER,
) -> Verdict:
    """Return the verdict without its place.

    excused: tensors whose errors quantized operators explain. lower: the unit roundoffs of the precisions that errors
    may indicate.
    """
    for name, found in evidence.items():
        if found.nan:
            return Verdict(kind="broken", tensor=name, note=f"{name} has NaN where golden has none")
    if bitwise:
        return Verdict(kind="identical")
    if len(evidence) == 1 and (output := output_among(evidence)):
        return _judge_output_alone(output, evidence[output], limits)
    coarse: Verdict | None = None
    for name, found in evidence.items():
        if found.unseen:
            return Verdict(kind="different", tensor=name, note=found.unseen)
        if found.local is not None and (passed := found.local.beyond(limits.local)):
            statistic = next(iter(passed))
            if name not in excused:
                return _beyond(evidence, name, statistic, passed, limits, lower)
            coarse = coarse or Verdict(
                kind="reduced precision",
                tensor=name,
                statistic=statistic,
                multiple=passed[statistic],
                precision=QUANTIZED,
            )
    if coarse is not None:
        return coarse
    for name, found in evidence.items():
        if passed := found.accumulated.beyond(limits.accumulated):
            statistic = next(iter(passed))
            note = f"in an untapped place before {name}"
            return Verdict(kind="different", tensor=name, statistic=statistic, multiple=passed[statistic], note=note)
    name, statistic, multiple = _nearest(evidence, limits)
    return Verdict(kind="rounding", tensor=name, statistic=statistic, multiple=multiple)


def beyond_limits(evidence: Mapping[str, TensorEvidence], *, weak: bool) -> list[str]:
    """Return the tensors that are beyond a local limit of `LIMITS`, or that have a probability on a hidden key.

    weak: whether the run exposes only the model's output.
    """
    local = LIMITS.weak if weak else LIMITS.local
    return [n for n, found in evidence.items() if found.unseen or (found.local and found.local.beyond(local))]


def _excused(evidence: Mapping[str, TensorEvidence], limits: Limits) -> frozenset[str]:
    """Return the tensors whose errors quantized linear maps explain.

    At least two kinds of segments must have such errors, because errors in one kind alone are a fault. A tensor without
    a linear map in its segment, such as attention from its own query and key, is never excused.
    """
    low, high = limits.quantized_range
    small = {
        name: found.relative
        for name, found in evidence.items()
        if found.local is not None and found.relative <= high and _linear(name, evidence)
    }
    kinds = {SEGMENTS[name.partition(".")[0]] for name, relative in small.items() if relative >= low}
    return frozenset(small) if len(kinds) >= 2 else frozenset()


def _linear(name: str, exposed: Collection[str]) -> bool:
    """Return whether the segment that makes a tensor has a linear map."""
    kind, _, number = name.partition(".")
    hidden = hidden_segments(kind, int(number), exposed) if number else ()
    return {SEGMENTS[kind], *hidden} != {SEGMENTS["attention"]}


def _judge_output_alone(output: str, found: TensorEvidence, limits: Limits) -> Verdict:
    note = f"rests on accumulated {output.replace('_', ' ')} alone, which is a weak test"
    nearest = Verdict(
        kind="rounding", tensor=output, statistic="max", multiple=found.accumulated.max, note=note, weak=True
    )
    if passed := found.accumulated.beyond(limits.weak):
        statistic = next(iter(passed))
        return replace(nearest, kind="different", statistic=statistic, multiple=passed[statistic])
    return nearest


def _beyond(
    evidence: Mapping[str, TensorEvidence],
    name: str,
    statistic: str,
    passed: dict[str, float],
    limits: Limits,
    lower: Mapping[str, float],
) -> Verdict:
    """Return the verdict for a local error beyond its limit: reduced precision, or different."""
    different = Verdict(kind="different", tensor=name, statistic=statistic, multiple=passed[statistic])
    for precision, roundoff in lower.items():
        alike = [tensor for tensor in evidence if _looks_like(evidence[tensor], roundoff, limits)]
        linear = [tensor for tensor in alike if SEGMENTS[tensor.partition(".")[0]] != "attention"]
        if len({SEGMENTS[tensor.partition(".")[0]] for tensor in linear}) >= 2:
            said = _narrowed(precision, [evidence[tensor] for tensor in linear])
            return replace(different, kind="reduced precision", precision=said)
        if name in linear:
            return replace(different, precision=precision, note=f"looks like {precision} in {place_of(name)}")
    return different


def _looks_like(found: TensorEvidence, roundoff: float, limits: Limits) -> bool:
    low, high = limits.precision_range
    return found.local is not None and low * roundoff <= found.relative <= high * roundoff


def _narrowed(precision: str, found: list[TensorEvidence]) -> str:
    """Narrow "fp16 or TF32" to "fp16" if fp16 can represent all values; both make errors of the same size."""
    if precision != "fp16 or TF32":
        return precision
    return "fp16" if all(evidence.half for evidence in found) else precision


def _nearest(evidence: Mapping[str, TensorEvidence], limits: Limits) -> tuple[str, str, float]:
    """Return the tensor, the statistic and the multiple nearest to a limit, for a run within all limits.

    They are of local errors; of accumulated ones if no tensor was replayed.
    """
    errors = {name: found.local for name, found in evidence.items() if found.local is not None}
    within = limits.local
    if not errors:
        errors, within = {name: found.accumulated for name, found in evidence.items()}, limits.accumulated
    _, name, statistic = max(
        (multiple / getattr(within, statistic), name, statistic)
        for name, found in errors.items()
        for statistic, multiple in asdict(found).items()
    )
    return name, statistic, getattr(errors[name], statistic)

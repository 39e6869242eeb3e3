"""Verdicts: from multiples of rounding to a word, and the place where a difference begins.

The limits are data, here and nowhere else. A verdict looks at errors where they were made (local), in the order in
which the model makes its tensors; errors against golden itself (accumulated) are a coarse second look.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf

from compare.results.gaps import Multiples, TensorEvidence
from compare.results.precisions import LOWER
from compare.results.verdicts import Verdict


@dataclass(frozen=True)
class Limits:
    """Multiples of the floor up to which an error is called rounding (docs/method.md says how they were chosen).

    local: within a segment, from the runtime's own inputs to it. accumulated: against golden. weak: against golden, of
    a runtime that exposes logits alone.
    precision_range: the local error over the tensor's size, in units of a precision's roundoff, that looks like it.
    quantized_range: that error itself, where a graph has quantized operators: at least two kinds of segments reach the
    lower end, and beyond the upper one it is a fault all the same.
    """

    local: Multiples
    accumulated: Multiples
    weak: Multiples
    precision_range: tuple[float, float]
    quantized_range: tuple[float, float]

    def scaled(self, factor: float) -> "Limits":
        """All limits on multiples of the floor, times a factor; what a precision looks like stays.

        >>> LIMITS.scaled(2.0).local
        Multiples(rms=4.0, max=8.0, channel=12.0, slope=16.0)
        """

        def times(limits: Multiples) -> Multiples:
            return Multiples(**{name: factor * limit for name, limit in asdict(limits).items()})

        return replace(self, local=times(self.local), accumulated=times(self.accumulated), weak=times(self.weak))


LIMITS = Limits(
    local=Multiples(rms=2.0, max=4.0, channel=6.0, slope=8.0),
    accumulated=Multiples(rms=4.0, max=8.0, channel=inf, slope=inf),
    weak=Multiples(rms=4.0, max=4.0, channel=inf, slope=inf),
    precision_range=(0.2, 1.3),
    quantized_range=(2.0**-11, 0.25),
)

#: What a verdict names as the precision of a graph with quantized operators.
QUANTIZED = "quantized"

#: Which segment of a layer makes a tensor of a kind. A hidden state is made by the layer before it.
SEGMENTS = {
    "query": "norm and projections to query, key, value",
    "key": "norm and projections to query, key, value",
    "value": "norm and projections to query, key, value",
    "attention": "attention",
    "context": "attention",
    "mid_state": "output projection",
    "hidden_state": "norm and MLP",
    "logits": "final norm and head",
}


def judge(
    evidence: Mapping[str, TensorEvidence], *, bitwise: bool, limits: Limits = LIMITS, quantized: Sequence[str] = ()
) -> Verdict:
    """The verdict over one run.

    evidence: by tensor, in the order of execution. bitwise: everything exposed equals the baseline's bit for bit.
    quantized: operators of the graph that compute with quantized numbers, which the verdict cites: by the size of its
    errors alone eight-bit integers look like bf16 where weights are alike in size, and like nothing where they are not.
    """
    excused = _excused(evidence, limits) if quantized else frozenset()
    verdict = placed(_judge(evidence, bitwise, limits, excused), evidence)
    operators = ", ".join(quantized)
    if verdict.precision == QUANTIZED:
        return replace(verdict, note=f"named by the graph's operators ({operators}) and not by its values")
    if quantized and verdict.kind == "different":
        note = f"the graph's operators ({operators}) are quantized, which may be why"
        return replace(verdict, note="; ".join(filter(None, (verdict.note, note))))
    return verdict


def placed(verdict: Verdict, exposed: Collection[str]) -> Verdict:
    """The verdict with the place of its tensor in words; exposed: what the run gave to judge by."""
    return replace(verdict, place=place_of(verdict.tensor, exposed)) if verdict.tensor else verdict


def _judge(evidence: Mapping[str, TensorEvidence], bitwise: bool, limits: Limits, excused: frozenset[str]) -> Verdict:
    """excused: tensors whose errors the graph's quantized operators explain."""
    for name, found in evidence.items():
        if found.nan:
            return Verdict(kind="broken", tensor=name, note=f"{name} has NaN where golden has none")
    if bitwise:
        return Verdict(kind="identical")
    if set(evidence) == {"logits"}:
        return _judge_logits_alone(evidence["logits"], limits)
    coarse: Verdict | None = None
    for name, found in evidence.items():
        if found.unseen:
            return Verdict(kind="different", tensor=name, note=found.unseen)
        if found.local is not None and (passed := found.local.beyond(limits.local)):
            statistic = next(iter(passed))
            if name not in excused:
                return _beyond(evidence, name, statistic, passed, limits)
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


def beyond_limits(evidence: Mapping[str, TensorEvidence], *, weak: bool, limits: Limits = LIMITS) -> list[str]:
    """The tensors that are wrong by what was made in their own segment: beyond a local limit, or seeing what is hidden.

    weak: of a run that exposes logits alone.
    """
    local = limits.weak if weak else limits.local
    return [n for n, found in evidence.items() if found.unseen or (found.local and found.local.beyond(local))]


def _excused(evidence: Mapping[str, TensorEvidence], limits: Limits) -> frozenset[str]:
    """Tensors with a linear map in their segment whose errors are no larger than quantized numbers make them.

    None where that does not go through at least two kinds of segments: in one it is a fault like any other. What has no
    linear map in it, as attention from its own query and key, is never excused.
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
    """Whether there is a linear map in the segment that makes a tensor."""
    kind, _, number = name.partition(".")
    hidden = _hidden_segments(kind, int(number), exposed) if number else ()
    return {SEGMENTS[kind], *hidden} != {SEGMENTS["attention"]}


def place_of(tensor: str, exposed: Collection[str] = ()) -> str:
    """The layer and segment that make a tensor; of a run that exposes less, all segments since what it exposes before.

    >>> place_of("hidden_state.0"), place_of("query.1"), place_of("logits")
    ('embedding', 'layer 1, norm and projections to query, key, value', 'final norm and head')
    >>> place_of("hidden_state.2", {"hidden_state.1", "context.1", "hidden_state.2"})
    'layer 1, output projection or norm and MLP'
    """
    kind, _, number = tensor.partition(".")
    if not number:
        return SEGMENTS[kind]
    layer = int(number) - (kind == "hidden_state")
    if layer < 0:
        return "embedding"
    made = dict.fromkeys([*_hidden_segments(kind, layer, exposed), SEGMENTS[kind]])
    return f"layer {layer}, {' or '.join(made)}"


#: What the tensors of a layer are made of.
_MADE_OF = {
    "attention": ("query", "key"),
    "context": ("query", "key", "value"),
    "mid_state": ("context",),
    "hidden_state": ("mid_state",),
}


def _hidden_segments(kind: str, layer: int, exposed: Collection[str]) -> Iterator[str]:
    """The segments of a layer that come before a tensor's own, of a run that does not expose what they make."""
    for before in _MADE_OF.get(kind, ()) if exposed else ():
        if f"{before}.{layer}" not in exposed:
            yield from _hidden_segments(before, layer, exposed)
            yield SEGMENTS[before]


def _judge_logits_alone(found: TensorEvidence, limits: Limits) -> Verdict:
    note = "rests on accumulated logits alone, which is a weak test"
    nearest = Verdict(
        kind="rounding", tensor="logits", statistic="max", multiple=found.accumulated.max, note=note, weak=True
    )
    if passed := found.accumulated.beyond(limits.weak):
        statistic = next(iter(passed))
        return replace(nearest, kind="different", statistic=statistic, multiple=passed[statistic])
    return nearest


def _beyond(
    evidence: Mapping[str, TensorEvidence], name: str, statistic: str, passed: dict[str, float], limits: Limits
) -> Verdict:
    """A local error beyond its limit: a lower precision throughout, or another computation in one place."""
    different = Verdict(kind="different", tensor=name, statistic=statistic, multiple=passed[statistic])
    for precision, roundoff in LOWER.items():
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
    """Size cannot tell fp16 from TF32; values that fp16 can hold, all of them, can."""
    if precision != "fp16 or TF32":
        return precision
    return "fp16" if all(evidence.half for evidence in found) else precision


def _nearest(evidence: Mapping[str, TensorEvidence], limits: Limits) -> tuple[str, str, float]:
    """The tensor and statistic that come nearest to their limit, of a run within all of them."""
    shares = [
        (getattr(found.local, statistic) / getattr(limits.local, statistic), name, statistic)
        for name, found in evidence.items()
        if found.local is not None
        for statistic in ("rms", "max", "channel", "slope")
    ]
    _, name, statistic = max(shares)
    return name, statistic, getattr(evidence[name].local, statistic)

"""How far tensors lie from golden's: gaps in their own units, and the evidence that verdicts rest on."""

from dataclasses import dataclass

from compare.results.base import Result


@dataclass(kw_only=True)
class MultiplesPart(Result):
    """A tensor's error in floors, of the worst group and the worst channel (`compare.numerics.errors`)."""

    rms: float
    max: float
    channel: float
    slope: float


@dataclass(kw_only=True)
class EvidencePart(Result):
    """What a verdict rests on, of one tensor."""

    local: MultiplesPart | None  # of the error within its own segment; None if it was not replayed
    accumulated: MultiplesPart  # of the error against golden
    relative: float  # root mean square of the local error over the tensor's own
    half: bool = False  # all its values can be written in fp16
    nan: bool = False
    above: float = 0.0  # the largest probability above the causal diagonal
    padding: float = 0.0  # the largest probability on a key that is padding
    place: tuple[int, ...] = ()  # of the largest local error, as an index of the tensor
    terms: int = 0  # in the longest sum of the segment


@dataclass(kw_only=True)
class SoftmaxPart(Result):
    """What the rows of an attention say (`compare.numerics.diagnostics.softmax`)."""

    rows: int
    row_sums: float
    variation: float
    flips: int
    real_flips: int
    relative: float


@dataclass(kw_only=True)
class GapPart(Result):
    """How far one tensor lies from golden's, in its own units. None throughout if the run does not expose it."""

    tensor: str
    exposed: bool = True
    max: float | None = None  # of |run - golden|, as are the next four
    rms: float | None = None
    p50: float | None = None
    p99: float | None = None
    p999: float | None = None
    size: float | None = None  # golden's root mean square
    slope: float | None = None  # the part of the gap that is proportional to golden
    place: tuple[int, ...] | None = None  # of the largest, as an index of the tensor
    heads: tuple[float, ...] = ()  # of attention: the largest of each head
    above_diagonal: float | None = None  # of attention: the largest probability above the causal diagonal
    ulps: tuple[float, ...] = ()  # the three percentiles in units in the last place of float32
    softmax: SoftmaxPart | None = None  # of attention
    bitwise: bool | None = None  # equal to the baseline's bit for bit, if two graphs are compared without a model
    evidence: EvidencePart | None = None


@dataclass(kw_only=True)
class DecisionsPart(Result):
    """What the gap does to the next tokens (`compare.numerics.diagnostics.next_token`)."""

    positions: int
    flips: int
    real_flips: int
    top5: float
    kl_mean: float
    kl_p99: float
    kl_max: float
    centred: float
    perplexity: float

"""How far tensors lie from golden's: gaps in their own units, and the evidence that verdicts rest on."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from compare.results.base import Result


@dataclass(frozen=True, kw_only=True)
class Multiples(Result):
    """A tensor's error in units of its floor, of the worst group and the worst channel (`compare.numerics.errors`)."""

    rms: float  # root mean square
    max: float
    channel: float
    slope: float

    def beyond(self, limits: "Multiples") -> dict[str, float]:
        """The statistics that pass their limits, with their multiples, the one that passes by the most first."""
        passed = {name: value for name, value in asdict(self).items() if not value <= getattr(limits, name)}
        return dict(sorted(passed.items(), key=lambda item: -item[1] / getattr(limits, item[0])))


@dataclass(frozen=True, kw_only=True)
class TensorEvidence(Result):
    """What a verdict rests on, of one tensor of a run."""

    local: Multiples | None  # of the error within its own segment; None if it was not replayed
    accumulated: Multiples  # of the error against golden
    relative: float  # root mean square of the local error over the tensor's own
    half: bool = False  # all its values can be written in fp16
    nan: bool = False
    above: float = 0.0  # the largest probability above the causal diagonal
    padding: float = 0.0  # the largest probability on a key that is padding
    place: tuple[int, ...] = ()  # of the largest local error, as an index of the tensor
    terms: int = 0  # in the longest sum of the segment (`compare.numerics.diagnostics.bounds`)

    @property
    def unseen(self) -> str:
        """What stands where a query may see no key, in words; empty if all of that is exactly 0."""
        places = {"above the causal diagonal": self.above, "on padding": self.padding}
        return "; ".join(f"{value:.1e} stands {place}" for place, value in places.items() if not value <= 0)


@dataclass(frozen=True, kw_only=True)
class SoftmaxGap(Result):
    """How the rows of a run's attention differ from golden's, over all heads and all queries that are not padding."""

    rows: int
    row_sums: float  # the largest distance of a row's sum from 1
    # the largest total variation of a row, half the sum of |run - golden|: the probability that went to other keys
    # (Levin and Peres 2017, proposition 4.2)
    variation: float
    flips: int  # rows of more than one key whose likeliest key is another
    real_flips: int  # those of them whose margin in golden is more than twice what rounding does to the head
    relative: float  # the largest relative error of a probability (`compare.numerics.diagnostics.softmax.LEAST`)


@dataclass(frozen=True, kw_only=True)
class Gap(Result):
    """How far one tensor of a run lies from golden's, in the tensor's own units; None if the run does not expose it.

    Numbers are NaN if the run gave a NaN.
    """

    tensor: str
    exposed: bool = True
    max: float | None = None  # of |run - golden|; of attention on and below the causal diagonal, as are the next four
    rms: float | None = None  # root mean square
    p50: float | None = None  # median, to within 1.6 %, as are the next two
    p99: float | None = None  # 99th percentile
    p999: float | None = None  # 99.9th percentile
    size: float | None = None  # golden's root mean square, which makes gaps of different tensors comparable
    slope: float | None = None  # the part of the gap that is proportional to golden
    place: tuple[int, ...] | None = None  # of the largest, as an index of the tensor
    heads: tuple[float, ...] = ()  # of attention: the largest of each head
    above_diagonal: float | None = None  # of attention: the largest above the causal diagonal, which is to be 0
    ulps: tuple[float, ...] = ()  # the three percentiles in units in the last place of float32
    softmax: SoftmaxGap | None = None  # of attention
    bitwise: bool | None = None  # equal to the baseline's bit for bit, if two graphs are compared without a model
    evidence: TensorEvidence | None = None


def evidence_of(gaps: Iterable[Gap]) -> dict[str, TensorEvidence]:
    """Tensor -> the evidence on it, of the gaps that have some, in their order."""
    return {gap.tensor: gap.evidence for gap in gaps if gap.evidence is not None}


@dataclass(frozen=True, kw_only=True)
class Decisions(Result):
    """A run's next tokens against golden's, over all positions that are not padding."""

    positions: int
    flips: int  # positions whose likeliest token differs
    # those of them whose margin in golden is more than twice what rounding does to a logit: no float32 run flips there
    real_flips: int
    top5: float  # mean share of golden's five likeliest tokens that are among the run's
    kl_mean: float  # Kullback-Leibler divergence of the run's distribution from golden's, in nats
    kl_p99: float
    kl_max: float
    centred: float  # the largest logit gap after each position's mean is taken out, because a constant changes nothing
    perplexity: float  # the run's less golden's, on the text itself

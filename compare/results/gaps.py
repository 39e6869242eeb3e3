"""The gaps of tensors in their own units, and the evidence for verdicts."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from compare.results.base import Result


@dataclass(frozen=True, kw_only=True)
class Multiples(Result):
    """A tensor's error in units of its floor, for the worst group and channel (`compare.numerics.errors`)."""

    rms: float  # root mean square
    max: float
    channel: float
    slope: float

    def beyond(self, limits: "Multiples") -> dict[str, float]:
        """Return the statistics beyond their limits with their multiples, the worst first."""
        passed = {name: value for name, value in asdict(self).items() if not value <= getattr(limits, name)}
        return dict(sorted(passed.items(), key=lambda item: -item[1] / getattr(limits, item[0])))


@dataclass(frozen=True, kw_only=True)
class OwnEvidence(Result):
    """A tensor's errors in floors of a lower precision, which its own controls give."""

    precision: str
    local: Multiples | None
    accumulated: Multiples


@dataclass(frozen=True, kw_only=True)
class TensorEvidence(Result):
    """The evidence for a verdict on one tensor of a run."""

    local: Multiples | None  # of the local error; None if the tensor was not replayed
    accumulated: Multiples  # of the accumulated error
    relative: float  # root mean square of the local error over that of the tensor
    half: bool = False  # whether all its values can be written in fp16
    nan: bool = False  # whether it has a NaN where golden has none
    above: float = 0.0  # the largest probability above the causal diagonal
    padding: float = 0.0  # the largest probability on a padding key
    place: tuple[int, ...] = ()  # index of the largest local error in the tensor
    own: OwnEvidence | None = None  # the same errors, for a run in a lower precision
    terms: int = 0  # number of terms of the segment's longest sum (`compare.numerics.diagnostics.bounds`)

    @property
    def unseen(self) -> str:
        """Text on the probabilities of keys that a query may not see; empty if all are exactly 0."""
        places = {"above the causal diagonal": self.above, "on padding": self.padding}
        return "; ".join(f"a probability of {value:.1e} {place}" for place, value in places.items() if not value <= 0)


@dataclass(frozen=True, kw_only=True)
class SoftmaxGap(Result):
    """The differences of a run's attention rows from golden's, over all heads and all queries except padding."""

    rows: int
    row_sums: float  # the largest distance of a row's sum from 1
    # the largest total variation of a row, half the sum of |run - golden|: the probability that moved to other keys
    # (Levin and Peres 2017, proposition 4.2)
    variation: float
    flips: int  # rows of more than one key whose likeliest key differs
    real_flips: int  # flips where golden's margin is more than twice what rounding does to the head
    relative: float  # the largest relative error of a probability (`compare.numerics.diagnostics.softmax.LEAST`)


@dataclass(frozen=True, kw_only=True)
class Gap(Result):
    """The gap of one tensor of a run, in the tensor's own units.

    Numbers are None if the run does not expose the tensor, and NaN if the run's tensor has a NaN.
    """

    tensor: str
    exposed: bool = True
    max: float | None = None  # of |run - golden|; for attention, max to p999 are on and below the causal diagonal
    rms: float | None = None  # root mean square
    p50: float | None = None  # median, exact to within 1.6 %
    p99: float | None = None  # 99th percentile, exact to within 1.6 %
    p999: float | None = None  # 99.9th percentile, exact to within 1.6 %
    size: float | None = None  # golden's root mean square, which makes gaps of different tensors comparable
    slope: float | None = None  # the part of the gap that is proportional to golden
    place: tuple[int, ...] | None = None  # index of the largest gap in the tensor
    heads: tuple[float, ...] = ()  # for attention: the largest gap of each head
    above_diagonal: float | None = None  # for causal attention: the largest probability above it, which must be 0
    ulps: tuple[float, ...] = ()  # the three percentiles in units in the last place of float32
    softmax: SoftmaxGap | None = None  # for attention
    bitwise: bool | None = None  # if two graphs are compared without a model: whether it is bit for bit the baseline's
    evidence: TensorEvidence | None = None


def evidence_of(gaps: Iterable[Gap]) -> dict[str, TensorEvidence]:
    """Return the evidence of each gap that has some, by tensor, in the order of the gaps."""
    return {gap.tensor: gap.evidence for gap in gaps if gap.evidence is not None}


@dataclass(frozen=True, kw_only=True)
class Decisions(Result):
    """A run's next tokens compared with golden's, over all positions that are not padding."""

    positions: int
    flips: int  # positions whose likeliest token differs
    # flips where golden's margin is more than twice what rounding does to a logit: rounding cannot flip these
    real_flips: int
    top5: float  # mean share of golden's five likeliest tokens that are among the run's
    kl_mean: float  # Kullback-Leibler divergence of the run's distribution from golden's, in nats
    kl_p99: float
    kl_max: float
    centred: float  # the largest logit gap after each position's mean is subtracted, which a softmax does not depend on
    perplexity: float  # the run's minus golden's, on the text itself

"""What was timed: the rows of latency and decoding, ratios to the baseline, and what disturbed the turns."""

from dataclasses import dataclass, field
from math import inf

from compare.results.base import Result
from compare.results.verdicts import VERDICTS, Verdict


@dataclass(frozen=True, kw_only=True)
class Ratio(Result):
    """Time over the baseline's, paired by round: the midmean over rounds and its 95 % bootstrap interval."""

    estimate: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the interval's width, as a share of the ratio: what `--precision` is about.

        >>> round(Ratio(estimate=0.5, low=0.49, high=0.51).half_width, 3)
        0.02
        """
        return (self.high - self.low) / 2 / self.estimate

    @property
    def measurable(self) -> bool:
        """Whether the interval is narrower than a factor of two; a wider one says nothing and is not printed.

        >>> Ratio(estimate=0.3, low=0.25, high=0.45).measurable, Ratio(estimate=1, low=0.01, high=28).measurable
        (True, False)
        """
        return 0 < self.high <= 2 * self.low < inf


@dataclass(kw_only=True)
class TurnsPart(Result):
    """The turns of a process that was timed."""

    turns: dict[int, list[int]] = field(default_factory=dict)  # round -> nanoseconds of each call, in order
    # round -> the same of every attempt that does not count: others used more CPU than `disturbance.max_load`
    disturbed: dict[int, list[list[int]]] = field(default_factory=dict)
    # round -> the share of the CPU time that others used in each attempt, in order; one that counts is the last
    loads: dict[int, list[float]] = field(default_factory=dict)


@dataclass(kw_only=True)
class DisturbancePart(Result):
    """What other processes did while turns ran (`compare.latency.disturbance`)."""

    max_load: float  # the largest share of the CPU time that others may use in a turn that counts
    attempts: int  # all turns that were taken
    disturbed: int  # those that do not count
    others: float  # the share of the CPU time of all attempts that other processes used
    stolen: float  # the share that a hypervisor gave to other machines
    processes: dict[str, float]  # the names of those that used most of it, with their shares
    sees: str  # whose CPU time could be seen


@dataclass(kw_only=True)
class LatencyPart(TurnsPart):
    """A process that was timed."""

    runtime: str
    again: bool  # the A/A control: the baseline in a second process
    error: str | None = None
    load_s: float | None = None  # one sample
    first_call_s: float | None = None  # one sample
    peak_bytes: int | None = None  # the largest memory of its process tree
    settled_bytes: int | None = None  # its memory after the last turn
    median_ms: float | None = None
    p90_ms: float | None = None  # None if there are too few samples, as is the next
    p99_ms: float | None = None
    spread: float | None = None  # interquartile range over the median
    outliers: int | None = None  # see `compare.latency.statistics`, as for the next
    drift: float | None = None
    ratio: Ratio | None = None
    of_peak: Ratio | None = None  # its FLOP/s over the matrix product's; None if it is not all float32


@dataclass(kw_only=True)
class LastPart(LatencyPart):
    """The graph that computes the logits of the last position alone: less work than any other row's."""

    to_deploy: Ratio | None = None  # its time over the deploy graph's in the same runtime
    gap: float | None = None  # largest difference of a logit there


@dataclass(kw_only=True)
class DecodePart(LatencyPart):
    """One runtime's short greedy generations with a cache of keys and values.

    `turns`, `median_ms`, `ratio` and the rest are of a step after the prefill (TPOT); `of_peak` is the bytes that a
    step reads over those of the machine's memory.
    """

    named: bool = False  # the runtime was asked for by name
    first_token_ms: float | None = None  # of the prefill (TTFT), as is the next
    first_token: Ratio | None = None
    tokens_per_s: float | None = None  # over whole generations
    # positions prefilled -> the verdict over the logits of the text, decoded from there on
    checks: dict[str, Verdict] = field(default_factory=dict)
    tokens: list[list[int]] = field(default_factory=list)
    parted: int | None = None  # the first token that differs from the baseline's; None if none does
    prefills: dict[int, list[int]] = field(default_factory=dict)  # as `turns`, of the prefill

    @property
    def verdict(self) -> Verdict | None:
        """The worst of the checks."""
        return max(self.checks.values(), key=lambda check: VERDICTS.index(check.kind), default=None)


@dataclass(kw_only=True)
class InterferencePart(Result):
    """A runtime timed alone and with all others running, in rounds that come in pairs."""

    runtime: str
    again: bool  # the A/A control
    error: str | None = None
    alone_ms: float | None = None
    beside_ms: float | None = None  # with all others running
    slowdown: Ratio | None = None  # beside over alone, paired by round
    ratio_alone: Ratio | None = None  # to the baseline timed likewise, as is the next; None of the baseline
    ratio_beside: Ratio | None = None
    alone: TurnsPart = field(default_factory=TurnsPart)
    beside: TurnsPart = field(default_factory=TurnsPart)


@dataclass(kw_only=True)
class GridCell(Result):
    """Latency on one sequence and batch, in rounds of its own; its rows have neither a start nor memory."""

    sequence: int
    batch: int
    rounds: int
    latency: list[LatencyPart]

    @property
    def name(self) -> str:
        return f"{self.sequence} x {self.batch}"

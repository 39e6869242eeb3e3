"""Results of timing: the rows of latency and decoding, ratios to the baseline, and disturbances."""

from dataclasses import dataclass, field
from math import inf

from compare.results.base import Result
from compare.results.verdicts import Verdict, rank

#: The fewest rounds from which a ratio is shown, and which support advice.
FEWEST_ROUNDS = 4


@dataclass(frozen=True, kw_only=True)
class Ratio(Result):
    """A time over the baseline's, paired by round: the midmean over rounds, and its 95 % bootstrap interval."""

    estimate: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the interval's width as a share of the ratio, which `--precision` limits.

        >>> round(Ratio(estimate=0.5, low=0.49, high=0.51).half_width, 3)
        0.02
        """
        return (self.high - self.low) / 2 / self.estimate

    @property
    def measurable(self) -> bool:
        """Whether the interval spans at most a factor of two; wider ones are not printed.

        >>> Ratio(estimate=0.3, low=0.25, high=0.45).measurable, Ratio(estimate=1, low=0.01, high=28).measurable
        (True, False)
        """
        return 0 < self.high <= 2 * self.low < inf


@dataclass(kw_only=True)
class TurnRecord(Result):
    """The turns of a worker."""

    turns: dict[int, list[int]] = field(default_factory=dict)  # round -> nanoseconds of each call, in order
    # round -> nanoseconds of each call in each disturbed turn: others used more of the CPU than `disturbance.max_load`
    disturbed: dict[int, list[list[int]]] = field(default_factory=dict)
    # round -> the share of the CPU time that others used in each attempt, in order; an undisturbed attempt is the last
    loads: dict[int, list[float]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Disturbance(Result):
    """The CPU time that other processes used during turns (`compare.latency.disturbance`)."""

    max_load: float  # the largest share of the CPU time that others may use in an undisturbed turn
    attempts: int  # number of turns, disturbed ones included
    disturbed: int  # number of disturbed turns
    others: float  # the share of the CPU time of all attempts that other processes used
    stolen: float  # the share that a hypervisor gave to other machines
    processes: dict[str, float]  # the names of the processes that used most of it, with their shares
    sees: str  # the processes whose CPU time is measured


@dataclass(kw_only=True)
class LatencyRow(TurnRecord):
    """A runtime's row of latency."""

    runtime: str
    again: bool  # whether this is the A/A control
    error: str | None = None
    too_slow: bool = False  # whether its turns are too long for the rounds, so it was timed in a few of its own
    load_s: float | None = None  # one sample
    first_call_s: float | None = None  # one sample
    peak_bytes: int | None = None  # the largest memory of its process tree
    settled_bytes: int | None = None  # its memory after the last turn
    device_bytes: int | None = None  # the most memory of a GPU while it loaded and made its first call; None on the CPU
    median_ms: float | None = None
    p90_ms: float | None = None  # None if there are too few samples
    p99_ms: float | None = None  # None if there are too few samples
    spread: float | None = None  # interquartile range over the median
    outliers: int | None = None  # number of samples that are far out (`compare.latency.statistics`)
    drift: float | None = None  # see `compare.latency.statistics`
    ratio: Ratio | None = None
    of_peak: Ratio | None = None  # its FLOP/s over the machine's limit; None if it is not all float32


@dataclass(kw_only=True)
class LastPositionRow(LatencyRow):
    """The row of the deploy-last graph. It computes only the logits of the last position, so it has the least work."""

    to_deploy: Ratio | None = None  # its time over the deploy graph's in the same runtime
    gap: float | None = None  # largest difference of a logit of the last position between the two graphs


@dataclass(kw_only=True)
class DecodeRow(LatencyRow):
    """A runtime's row of decoding: short greedy generations with a cache of keys and values.

    The fields of `LatencyRow` are for a step after the prefill (TPOT). `of_peak` is the bytes/s of a step over the
    machine's limit.
    """

    named: bool = False  # whether the runtime was asked for by name
    first_token_ms: float | None = None  # time of the prefill (TTFT)
    first_token: Ratio | None = None  # ratio of the prefill's time
    tokens_per_s: float | None = None  # over whole generations
    # number of positions in the prefill -> the verdict over the text's logits if the rest is decoded step by step
    checks: dict[str, Verdict] = field(default_factory=dict)
    tokens: list[list[int]] = field(default_factory=list)
    parted: int | None = None  # index of the first token that differs from the baseline's; None if none does
    prefills: dict[int, list[int]] = field(default_factory=dict)  # as `turns`, for the prefill

    @property
    def verdict(self) -> Verdict | None:
        """The worst of the checks."""
        return max(self.checks.values(), key=lambda check: rank(check.kind), default=None)


@dataclass(kw_only=True)
class InterferenceRow(Result):
    """A runtime's row of interference, timed in pairs of rounds: alone, and with all others awake."""

    runtime: str
    again: bool  # whether this is the A/A control
    error: str | None = None
    alone_ms: float | None = None  # with all others suspended
    beside_ms: float | None = None  # with all others awake
    slowdown: Ratio | None = None  # time with the others awake over time alone, paired by round
    ratio_alone: Ratio | None = None  # to the baseline timed alone; None for the baseline
    ratio_beside: Ratio | None = None  # to the baseline timed with the others awake; None for the baseline
    alone: TurnRecord = field(default_factory=TurnRecord)
    beside: TurnRecord = field(default_factory=TurnRecord)


@dataclass(kw_only=True)
class GridCell(Result):
    """A cell of the grid: latency for one sequence length and batch size, without loads, first calls and memory."""

    sequence: int
    batch: int
    rounds: int
    latency: list[LatencyRow]

    @property
    def name(self) -> str:
        return f"{self.sequence} x {self.batch}"

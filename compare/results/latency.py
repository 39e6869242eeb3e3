"""The parts of a report that hold latency, and what the workers that were timed showed beside it."""

from math import inf

from pydantic import Field

from compare.results.circumstances import Part
from compare.results.gaps import VERDICTS, VerdictPart


class RatioPart(Part):
    """Time over the baseline's, paired by round: the midmean over rounds and its 95 % bootstrap interval."""

    estimate: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the interval's width, as a share of the ratio."""
        return (self.high - self.low) / 2 / self.estimate

    @property
    def measurable(self) -> bool:
        """Whether the interval is narrower than a factor of two; a wider one says nothing and is not printed.

        >>> RatioPart(estimate=0.3, low=0.25, high=0.45).measurable, RatioPart(estimate=1, low=0.01, high=28).measurable
        (True, False)
        """
        return 0 < self.high <= 2 * self.low < inf


class TurnsPart(Part):
    """The turns of a process that was timed: round -> nanoseconds of each call, in order.

    disturbed: round -> the same of every attempt that does not count, because other processes used more of the CPU than
    the report's `disturbance.max_load`. loads: round -> the share of the CPU time that others used in each attempt, in
    order; where an attempt counts, it is the last.
    """

    turns: dict[int, list[int]] = Field(default_factory=dict)
    disturbed: dict[int, list[list[int]]] = Field(default_factory=dict)
    loads: dict[int, list[float]] = Field(default_factory=dict)


class DisturbancePart(Part):
    """What other processes did while turns ran (`compare.latency.disturbance`).

    max_load: the largest share of the CPU time that others may use in a turn that counts. attempts: all turns that were
    taken; disturbed: those that do not count. others, stolen: the share of the CPU time of all attempts that other
    processes used, and that a hypervisor gave to other machines. processes: the names of those that used most of it,
    with their shares. sees: whose CPU time could be seen.
    """

    max_load: float
    attempts: int
    disturbed: int
    others: float
    stolen: float
    processes: dict[str, float]
    sees: str


class LatencyPart(TurnsPart):
    """One latency worker. again: the baseline loaded a second time.

    load_s, first_call_s: one sample each. p90_ms, p99_ms: None where samples are too few to say. outliers, drift: see
    `compare.latency.statistics`. peak_bytes, settled_bytes: the memory of its process tree, the largest and that after
    its last turn. of_peak: the FLOP/s of the pass over those of the machine's matrix products; None where it is not all
    float32.
    """

    runtime: str
    again: bool
    error: str | None = None
    load_s: float | None = None
    first_call_s: float | None = None
    peak_bytes: int | None = None
    settled_bytes: int | None = None
    median_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    spread: float | None = None
    outliers: int | None = None
    drift: float | None = None
    ratio: RatioPart | None = None
    of_peak: RatioPart | None = None


class WorkPart(Part):
    """How much work the model is on the input; see `compare.numerics.diagnostics.model_work.Work`."""

    prefill_flops: int
    prefill_last_flops: int
    decode_flops: int
    decode_bytes: int
    past: int


class LastPart(LatencyPart):
    """The graph that computes the logits of the last position alone: less work than any other row's.

    to_deploy: its time over the deploy graph's in the same runtime. gap: largest difference of a logit there.
    """

    to_deploy: RatioPart | None = None
    gap: float | None = None


class DecodePart(LatencyPart):
    """One runtime's short greedy generations with a cache of keys and values. turns: of the steps after the prefill.

    named: the runtime was asked for by name.
    ratio, median_ms and the rest are of a step (TPOT); first_token: of the prefill (TTFT). tokens_per_s: over whole
    generations. checks: positions prefilled -> the verdict over the logits of the text, decoded from there on; parted:
    the first place where the generated tokens differ from the baseline's, None where none does. of_peak: the bytes a
    step reads over those of the machine's memory.
    """

    named: bool = False
    first_token_ms: float | None = None
    first_token: RatioPart | None = None
    tokens_per_s: float | None = None
    checks: dict[str, VerdictPart] = Field(default_factory=dict)
    tokens: list[list[int]] = Field(default_factory=list)
    parted: int | None = None
    prefills: dict[int, list[int]] = Field(default_factory=dict)

    @property
    def verdict(self) -> VerdictPart | None:
        """The worst of the checks."""
        return max(self.checks.values(), key=lambda part: VERDICTS.index(part.kind), default=None)


class LimitPart(TurnsPart):
    """A limit of the machine, measured in the same rounds as the runtimes: FLOP/s, or bytes/s.

    per_call: FLOPs or bytes of a call. error: why nothing is known of it.
    """

    name: str
    error: str | None = None
    per_call: int | None = None
    per_second: float | None = None
    median_ms: float | None = None
    spread: float | None = None


class LimitsPart(Part):
    """What the machine can do, and what the model asks of it. uncounted: why its work is not known."""

    compute: LimitPart
    bandwidth: LimitPart
    work: WorkPart | None
    uncounted: str | None = None


class SelfGapsPart(Part):
    """How far a runtime's logits lie from its own, on the deploy graph, when only the circumstances change.

    gaps: what was changed -> largest difference of a logit (`compare.numerics.diagnostics.rerun_variants`), and the
    largest difference to the baseline's. missing: what could not be run, and why. verdict: over the logits of what was
    timed, which may be another graph than the one that shows its taps; None where two ONNX files are compared, without
    golden.
    """

    runtime: str
    verdict: VerdictPart | None = None
    gaps: dict[str, float] = Field(default_factory=dict)
    missing: dict[str, str] = Field(default_factory=dict)


class ObserverPart(TurnsPart):
    """What exposing every tap does to a graph: the inspect graph beside the deploy graph, in one runtime.

    turns: of the inspect graph, in the same rounds as the deploy graph's. ratio: its time over the deploy graph's.
    operators: how often each ran in one pass, inspect and deploy; those alone that differ. nodes: of all of them.
    gap: largest difference of a logit between the two graphs.
    """

    runtime: str
    error: str | None = None
    ratio: RatioPart | None = None
    nodes: tuple[int, int] | None = None
    operators: dict[str, tuple[int, int]] = Field(default_factory=dict)
    gap: float | None = None


class InterferencePart(Part):
    """What a runtime takes beside the others unsuspended, and alone, in rounds that come in pairs.

    alone, beside: its turns, by pair. slowdown: beside over alone, paired by pair. ratio_alone,
    ratio_beside: to the baseline timed likewise; None of the baseline.
    """

    runtime: str
    again: bool
    error: str | None = None
    alone_ms: float | None = None
    beside_ms: float | None = None
    slowdown: RatioPart | None = None
    ratio_alone: RatioPart | None = None
    ratio_beside: RatioPart | None = None
    alone: TurnsPart = Field(default_factory=TurnsPart)
    beside: TurnsPart = Field(default_factory=TurnsPart)


class GridCell(Part):
    """Latency on one sequence and batch, in rounds of its own; the rows have neither a start nor memory."""

    sequence: int
    batch: int
    rounds: int
    latency: list[LatencyPart]

    @property
    def name(self) -> str:
        return f"{self.sequence} x {self.batch}"


class ExportersPart(Part):
    """The graphs of two exporters in one runtime, the chosen one's against the default one's.

    gaps: kind of tensor -> largest difference between the two. ratio: of their times, paired by round. graph_bytes: of
    the whole cache entries.
    """

    runtime: str
    chosen: str
    default: str
    gaps: dict[str, float]
    ratio: RatioPart | None
    graph_bytes: tuple[int, int]

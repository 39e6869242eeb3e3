"""Results of reruns, of the observer effect, and of comparing two exporters' graphs."""

from dataclasses import dataclass, field

from compare.results.base import Result
from compare.results.latency import Ratio, TurnRecord
from compare.results.verdicts import Verdict


@dataclass(kw_only=True)
class RerunGaps(Result):
    """The differences of a runtime's logits between its plain run and its reruns, on the deploy graph."""

    runtime: str
    verdict: Verdict | None = None  # over the logits of the timed process; None if two files are compared
    # variant (`compare.numerics.diagnostics.rerun_variants`) or the baseline's name -> largest difference of a logit
    gaps: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # variant -> why it could not be run


@dataclass(kw_only=True)
class ObserverEffect(TurnRecord):
    """The observer effect: the inspect graph compared with the deploy graph, in one runtime.

    `turns` are those of the inspect graph, in the same rounds as the deploy graph's.
    """

    runtime: str
    error: str | None = None
    ratio: Ratio | None = None  # its time over the deploy graph's
    nodes: tuple[int, int] | None = None  # number of nodes that ran in one pass: inspect, deploy
    operators: dict[str, tuple[int, int]] = field(default_factory=dict)  # the same by operator, if the two differ
    gap: float | None = None  # largest difference of a logit between the two graphs


@dataclass(kw_only=True)
class ExporterComparison(Result):
    """The graph of the chosen exporter compared with that of the default exporter, in one runtime."""

    runtime: str
    chosen: str
    default: str
    gaps: dict[str, float]  # kind of tensor -> largest difference between the two
    ratio: Ratio | None  # of their times, paired by round
    graph_bytes: tuple[int, int]  # sizes of the two cache entries

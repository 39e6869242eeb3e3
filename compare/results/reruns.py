"""What changes if a runtime runs under other circumstances, with every tap exposed, or on another exporter's graph."""

from dataclasses import dataclass, field

from compare.results.base import Result
from compare.results.latency import Ratio, TurnsPart
from compare.results.verdicts import Verdict


@dataclass(kw_only=True)
class SelfGapsPart(Result):
    """How far a runtime's logits on the deploy graph lie from its own when only the circumstances change."""

    runtime: str
    verdict: Verdict | None = None  # over the logits of what was timed; None if two files are compared
    # what was changed (`compare.numerics.diagnostics.rerun_variants`), or the baseline -> largest difference of a logit
    gaps: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # what could not be run, and why


@dataclass(kw_only=True)
class ObserverPart(TurnsPart):
    """What exposing every tap does to a graph: the inspect graph against the deploy graph, in one runtime.

    `turns` are of the inspect graph, in the same rounds as the deploy graph's.
    """

    runtime: str
    error: str | None = None
    ratio: Ratio | None = None  # its time over the deploy graph's
    nodes: tuple[int, int] | None = None  # how many nodes ran in one pass: inspect, deploy
    operators: dict[str, tuple[int, int]] = field(default_factory=dict)  # the same by operator; those that differ
    gap: float | None = None  # largest difference of a logit between the two graphs


@dataclass(kw_only=True)
class ExportersPart(Result):
    """The graphs of two exporters in one runtime, the chosen one's against the default one's."""

    runtime: str
    chosen: str
    default: str
    gaps: dict[str, float]  # kind of tensor -> largest difference between the two
    ratio: Ratio | None  # of their times, paired by round
    graph_bytes: tuple[int, int]  # of the whole cache entries

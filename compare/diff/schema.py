"""What changed from one report to a newer one, and what of it is a regression. `diff --json` is this."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from compare.results.latency import Ratio
from compare.results.verdicts import VerdictWord

JudgedWord = VerdictWord | Literal["not judged"]
ChangeWord = Literal["better", "same", "worse"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class SidePart(_Part):
    """One of the two reports. baseline_ms: for information, because the other side's is of another machine state."""

    created: str
    commit: str | None
    rounds: int
    baseline_ms: float | None


class StandingPart(_Part):
    """What one report says of a runtime's numbers. rounding: largest logit gap in units of rounding."""

    verdict: JudgedWord | None
    rounding: float | None
    error: str | None


class RuntimeChange(_Part):
    """A runtime's numbers then and now; None where a report has no such runtime. change: of the verdict."""

    name: str
    older: StandingPart | None
    newer: StandingPart | None
    change: ChangeWord | None


class LatencyChange(_Part):
    """A row's ratio to the baseline of its own report, then and now, and the ratio of the two ratios.

    again: the A/A control, whose ratio should be 1 in both reports. memory_percent: change of the peak.
    missing: why there is no change to give.
    """

    runtime: str
    again: bool
    older: Ratio | None
    newer: Ratio | None
    change: Ratio | None
    memory_percent: float | None
    missing: str = ""


class RegressionPart(_Part):
    """What became worse, in one sentence without its end."""

    runtime: str
    kind: Literal["verdict", "failure", "latency"]
    said: str


class Difference(_Part):
    """Two reports of one model on one input. fail_over: percent. notes: what else differs, and what it may do."""

    subject: str
    baseline: str
    fail_over: float
    fail_on: VerdictWord
    older: SidePart
    newer: SidePart
    runtimes: list[RuntimeChange]
    latency: list[LatencyChange]
    notes: list[str]
    regressions: list[RegressionPart]

    def exit_code(self) -> int:
        """1 where something became worse, else 0."""
        return 1 if self.regressions else 0

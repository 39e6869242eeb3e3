"""The result of `diff`: what changed from one report to a newer one, and which changes are regressions.

`diff --json` prints it.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from compare.results.latency import Ratio
from compare.results.verdicts import VerdictWord

JudgedWord = VerdictWord | Literal["not judged"]
ChangeWord = Literal["better", "same", "worse"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class Side(_Record):
    """One of the two reports. baseline_ms: the baseline's median, which is shown but not compared."""

    created: str
    commit: str | None
    rounds: int
    baseline_ms: float | None


class Standing(_Record):
    """A runtime's verdict in one report, or its error. rounding: its largest logit gap in units of rounding."""

    verdict: JudgedWord | None
    rounding: float | None
    error: str | None


class RuntimeChange(_Record):
    """A runtime in both reports; None for a report without it. change: whether its verdict became better or worse."""

    name: str
    older: Standing | None
    newer: Standing | None
    change: ChangeWord | None


class LatencyChange(_Record):
    """A row's ratio to the baseline of its own report, in both reports, and how it changed.

    again: whether this is the A/A control, whose ratio should be 1 in both reports. change: the newer ratio over the
    older one. memory_percent: the change of peak memory. missing: the reason why `change` is None.
    """

    runtime: str
    again: bool
    older: Ratio | None
    newer: Ratio | None
    change: Ratio | None
    memory_percent: float | None
    missing: str = ""


class Regression(_Record):
    """A regression. said: what became worse, as a sentence without a full stop."""

    runtime: str
    kind: Literal["verdict", "failure", "latency"]
    said: str


class Difference(_Record):
    """The difference of two reports of one model on one input.

    subject: what was compared. fail_over: the limit for latency, in percent. fail_on: the limit for verdicts. notes:
    the circumstances that differ.
    """

    subject: str
    baseline: str
    fail_over: float
    fail_on: VerdictWord
    older: Side
    newer: Side
    runtimes: list[RuntimeChange]
    latency: list[LatencyChange]
    notes: list[str]
    regressions: list[Regression]

    def exit_code(self) -> int:
        """Return 1 if there is a regression, else 0."""
        return 1 if self.regressions else 0

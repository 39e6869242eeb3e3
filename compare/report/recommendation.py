"""Which runtime to deploy, as data. Every text of the advice puts the same choice into words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from compare.report.measurability import faster, is_shown, measurable, why_not_measurable
from compare.report.schema import Report
from compare.results.latency import LatencyRow, Ratio
from compare.results.runtimes import RuntimeResult

#: Two runtimes whose memory differs by no more than this share need the same memory.
EQUAL_MEMORY = 0.05

#: A runtime's row and its time over the baseline's.
Timed = tuple[LatencyRow, Ratio]


@dataclass(frozen=True)
class Choice:
    """A runtime that was timed."""

    #: Its latency.
    row: LatencyRow
    #: Its gaps and verdict.
    runtime: RuntimeResult
    #: Its time over the baseline's; exactly 1 for the baseline itself.
    time: Ratio
    #: Whether its verdict is better than `--fail-on`.
    trusted: bool
    #: The largest gap of its output to golden; None if it has none.
    gap: float | None

    @property
    def name(self) -> str:
        return self.row.runtime


@dataclass(frozen=True)
class Recommendation:
    """The trusted runtime to use for passes or for generation, if there is one."""

    #: The rows that it was chosen from: the baseline first, then its second process, the A/A control.
    rows: Sequence[LatencyRow]
    #: Why the rows support no recommendation; None if they do.
    why_not: str | None = None
    #: The fastest trusted runtime besides the baseline, or one with less memory that is as fast as far as can be
    #: measured; None if no such runtime's time is measurable.
    best: LatencyRow | None = None
    #: The time of that runtime over the baseline's; None if there is no such runtime.
    time: Ratio | None = None
    #: The other trusted runtimes that are not measurably slower than that one -> their time over the baseline's.
    rivals: Mapping[str, Ratio] = field(default_factory=dict)

    @property
    def baseline(self) -> LatencyRow:
        return self.rows[0]

    @property
    def deployed(self) -> LatencyRow | None:
        """The runtime to deploy: the best one, if it is measurably faster than the baseline."""
        return self.best if self.best is not None and faster(self.best, self.rows) else None


def choices(report: Report) -> list[Choice]:
    """Return the runtimes that were timed and have gaps, the baseline first."""
    parts = {runtime.name: runtime for runtime in report.runtimes if runtime.gaps or report.model is None}
    timed = [row for row in report.latency if row.runtime in parts and not row.again and row.median_ms is not None]
    baseline = Ratio(estimate=1.0, low=1.0, high=1.0)
    found = []
    for row in timed:
        runtime, time = parts[row.runtime], baseline if row is report.latency[0] else row.ratio
        if time is not None:
            trusted = not runtime.error and runtime.name not in report.untrusted
            found.append(Choice(row, runtime, time, trusted, runtime.output_gap))
    return found


def front(found: list[Choice]) -> list[Choice]:
    """Return the Pareto front of time and gap, the fastest first: no other runtime is better in both."""
    best: list[Choice] = []
    for choice in sorted((c for c in found if c.gap is not None), key=lambda c: (c.time.estimate, c.gap)):
        if not best or (choice.gap or 0.0) < (best[-1].gap or 0.0):
            best.append(choice)
    return best


def time_is_known(choice: Choice, report: Report) -> bool:
    """Whether a choice's time of a pass is shown: it is the baseline's, or its ratio is measurable."""
    return choice.row is report.latency[0] or is_shown(choice.row, report.latency)


def for_passes(report: Report) -> Recommendation | None:
    """Return the recommendation for forward passes; None if no trusted runtime besides the baseline was timed.

    A runtime counts as timed even if every one of its turns was disturbed, so that the recommendation says why.
    """
    judged = {runtime.name for runtime in report.runtimes if runtime.gaps or report.model is None}
    trusted = [row for row in report.latency[1:] if row.runtime in judged and _counts(report, row)]
    return _recommendation(report, report.latency, trusted)


def for_generation(report: Report) -> Recommendation | None:
    """Return the recommendation for generation; None if no runtime besides the baseline has a correct cache."""
    trusted = [
        row
        for row in report.decoding[1:]
        if row.verdict is not None and report.beyond(row) is None and _counts(report, row)
    ]
    return _recommendation(report, report.decoding, trusted)


def _counts(report: Report, row: LatencyRow) -> bool:
    """Whether a row besides the baseline's may be recommended: a trusted runtime that did not fail."""
    failed = {runtime.name for runtime in report.runtimes if runtime.error}
    return not row.again and not row.error and row.runtime not in report.untrusted and row.runtime not in failed


def _recommendation(report: Report, rows: Sequence[LatencyRow], trusted: Sequence[LatencyRow]) -> Recommendation | None:
    if not trusted:
        return None
    if why := why_not_measurable(rows, report.disturbance, report.time_s):
        return Recommendation(rows, why_not=why)
    known = [(row, row.ratio) for row in trusted if row.ratio is not None and measurable(row, rows[0])]
    if not known:
        return Recommendation(rows)
    best, time = _lightest(min(known, key=lambda pair: pair[1].estimate), known, rows)
    rivals = {row.runtime: ratio for row, ratio in known if row is not best and ratio.low <= time.high}
    return Recommendation(rows, best=best, time=time, rivals=rivals)


def _lightest(fastest: Timed, known: Sequence[Timed], rows: Sequence[LatencyRow]) -> Timed:
    """Return the runtime with the least memory among those whose time lies in the interval of the fastest one's.

    Without this, noise would choose among equals, and choose another one in each run. The fastest one is returned if it
    is not measurably faster than the baseline, or if the lightest one saves too little.
    """
    if not faster(fastest[0], rows):
        return fastest
    equal = [pair for pair in known if pair[1].estimate <= fastest[1].high and faster(pair[0], rows)]
    lightest = min(equal, key=lambda pair: pair[0].peak_bytes or math.inf)
    saves = (lightest[0].peak_bytes or math.inf) < (1 - EQUAL_MEMORY) * (fastest[0].peak_bytes or 0)
    return lightest if saves else fastest

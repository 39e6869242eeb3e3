"""Reports with drawn times and chosen verdicts for the tests of `diff`, and what is printed of a difference."""

import numpy as np

from compare.diff import text as difference_text
from compare.diff.compare import diff
from compare.report.schema import Report
from compare.results.latency import LatencyRow
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import Verdict


def verdict(kind: str, place: str = "") -> Verdict:
    facts = {"tensor": "context.1", "statistic": "rms", "multiple": 57.3}
    return Verdict(kind=kind, place=place, note="no logits" if kind == "broken" else "", **facts)


def with_turns(report: Report, *, rounds: int = 12, noise: float = 0.01, seed: int = 0, **slower: float) -> Report:
    """Return a copy with random turns: each runtime takes 1 ms times its given factor times noise."""
    random = np.random.default_rng(seed)
    copy = report.model_copy(deep=True)
    for row in copy.latency:
        factor = slower.get(row.runtime.replace("-", "_"), 1.0)
        times = 1e6 * factor * np.exp(noise * random.standard_normal(rounds))
        row.turns = {number: [int(time)] for number, time in enumerate(times)}
    return copy


def said(older: Report, newer: Report, fail_over: float = 5.0) -> str:
    """Return all printed text except the tables."""
    difference = diff(older, newer, fail_over)
    return "\n".join([*difference_text.opening(difference), *difference_text.lines(difference)])


def runtime(report: Report, name: str) -> RuntimeResult:
    return next(runtime for runtime in report.runtimes if runtime.name == name)


def fail_while_timed(report: Report, name: str, error: str) -> None:
    """Replace the times of a runtime by an error."""
    failed = LatencyRow(runtime=name, again=False, error=error)
    report.latency = [failed if row.runtime == name else row for row in report.latency]

"""Judge a saved report by other limits. The report contains the evidence, so nothing is run again."""

from dataclasses import replace

from compare.numerics.padded_verdicts import rejudged, worse
from compare.numerics.several_runs import agreed, is_alarm
from compare.numerics.verdicts import judge
from compare.report.schema import Report
from compare.results.gaps import evidence_of
from compare.results.runtimes import FurtherRun, RuntimeResult
from compare.results.verdict_limits import LIMITS, Limits
from compare.results.verdicts import Verdict
from export.errors import BadInput


def rejudge(report: Report, rounding: float) -> Report:
    """Return a report with the verdicts on the rows by other limits. Those on timed graphs and caches stay.

    rounding: the limit of the root mean square of local errors (floors). The other limits change in proportion.

    A run that equals the baseline bit for bit stays identical, and a run without evidence keeps its verdict. Further
    runs exist only for a runtime whose first run was an alarm in the comparison. They count only if the first run is an
    alarm by these limits too. Raises `BadInput` if the limit is not above 0, or if the report is of a comparison
    without a model.
    """
    if not rounding > 0:
        raise BadInput(
            f"--rounding is {rounding:g}; it must be a number above 0, in units of rounding (default: "
            f"{LIMITS.local.rms:g})"
        )
    if report.model is None:
        raise BadInput(f"{report.subject} was compared without a model, so it has no floors and cannot be judged")
    limits = LIMITS.scaled(rounding / LIMITS.local.rms)
    runtimes = [_rejudged(runtime, limits) for runtime in report.runtimes]
    return report.model_copy(update={"runtimes": runtimes, "verdict_limits": limits})


def _rejudged(runtime: RuntimeResult, limits: Limits) -> RuntimeResult:
    """Return a row with its verdict by other limits."""
    if runtime.verdict is None:
        return runtime
    first, *others = runtime.verdict.runs or [runtime.verdict]
    whole = FurtherRun(evidence=evidence_of(runtime.gaps), padding=runtime.padding)
    verdict, whole = _run(runtime, first, whole, limits)
    judged = replace(runtime, verdict=verdict, padding=whole.padding)
    if not others or not is_alarm(verdict, runtime):
        return judged
    further = [_run(runtime, *pair, limits) for pair in zip(others, runtime.again, strict=True)]
    verdicts = [verdict, *(verdict for verdict, _ in further)]
    return replace(judged, verdict=agreed(verdicts), again=[part for _, part in further])


def _run(runtime: RuntimeResult, verdict: Verdict, part: FurtherRun, limits: Limits) -> tuple[Verdict, FurtherRun]:
    """Return the verdict on one run by other limits. verdict: the present verdict. part: the evidence."""
    quantized = runtime.graph.quantized if runtime.graph else ()
    text = part.padding.text if part.padding else verdict
    if part.evidence:
        text = judge(part.evidence, bitwise=text.kind == "identical", limits=limits, quantized=quantized)
    if part.padding is None:
        return text, part
    padding = rejudged(part.padding, text, limits, quantized)
    return worse(padding), replace(part, padding=padding)

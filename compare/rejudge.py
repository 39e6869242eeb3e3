"""A saved report judged again: the evidence is in it, so other limits need no other run."""

from compare.numerics.verdicts import LIMITS, Limits, judge
from compare.pipeline.padding_stage import judged_again
from compare.pipeline.second_look import agreed, is_alarm
from compare.report.schema import Report
from compare.results.gaps import evidence_of
from compare.results.runtimes import FurtherRunPart, RuntimePart
from compare.results.verdicts import Verdict
from export.errors import BadInput


def rejudge(report: Report, rounding: float) -> Report:
    """The report with the verdicts that it would have if `rounding` floors (root mean square, local) were the limit.

    The other limits move in proportion. A run that is bit for bit the baseline stays identical, and one without
    evidence keeps its verdict. Further runs of a runtime count if its first run is an alarm under these limits too;
    there are none if it was no alarm under the limits of the comparison. Raises `BadInput` for a limit that is not
    above 0, or a report without evidence.
    """
    if not rounding > 0:
        raise BadInput(
            f"--rounding is {rounding:g}; it takes a number of floors above 0, {LIMITS.local.rms:g} by default"
        )
    if report.model is None:
        raise BadInput(f"{report.subject} was compared without a model, so there is nothing to judge it by")
    limits = LIMITS.scaled(rounding / LIMITS.local.rms)
    judged = report.model_copy(deep=True)
    for runtime in judged.runtimes:
        if runtime.verdict is None:
            continue
        first, *further = runtime.verdict.runs or [runtime.verdict]
        found = FurtherRunPart(evidence=evidence_of(runtime.gaps), padding=runtime.padding)
        runtime.verdict = _verdict(runtime, first, found, limits)
        if further and is_alarm(runtime.verdict, runtime):
            again = [_verdict(runtime, *pair, limits) for pair in zip(further, runtime.again, strict=True)]
            runtime.verdict = agreed([runtime.verdict, *again])
    return judged


def _verdict(runtime: RuntimePart, verdict: Verdict, found: FurtherRunPart, limits: Limits) -> Verdict:
    """The verdict on one run under other limits. verdict: the one it has; found: what that rests on."""
    quantized = runtime.graph.quantized if runtime.graph else ()
    text = found.padding.text if found.padding else verdict
    if found.evidence:
        text = judge(found.evidence, bitwise=text.kind == "identical", limits=limits, quantized=quantized)
    return judged_again(found.padding, text, limits, quantized)

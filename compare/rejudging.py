"""A saved report judged again: the evidence is in it, so other limits need no other run."""

from compare import assembly
from compare.numerics.errors import Multiples
from compare.numerics.verdicts import LIMITS, TensorEvidence, judge
from compare.report.gap_parts import EvidencePart
from compare.report.schema import Report
from export.errors import BadInput


def rejudge(report: Report, rounding: float) -> Report:
    """The report with the verdicts that it would have if `rounding` floors (root mean square, local) were the limit.

    The other limits move in proportion. A run that is bit for bit the baseline stays identical, and one without
    evidence keeps its verdict. Raises `BadInput` for a limit that is not above 0, or a report without evidence.
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
        evidence = {gap.tensor: _evidence(gap.evidence) for gap in runtime.gaps if gap.evidence is not None}
        if evidence and runtime.verdict is not None:
            quantized = runtime.graph.quantized if runtime.graph else ()
            identical = runtime.verdict.kind == "identical"
            verdict = judge(evidence, bitwise=identical, limits=limits, quantized=quantized)
            runtime.verdict = assembly.verdict_part(verdict)
    return judged


def _evidence(part: EvidencePart) -> TensorEvidence:
    plain = part.model_dump()
    local = plain.pop("local")
    return TensorEvidence(
        local=None if local is None else Multiples(**local), accumulated=Multiples(**plain.pop("accumulated")), **plain
    )

"""Judge a run on the padded input, and choose the worse of its verdicts on the text and on the padded input."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from compare.numerics.padding import COUNTED, Cause
from compare.numerics.verdicts import judge, placed
from compare.results.gaps import TensorEvidence
from compare.results.runtimes import PaddedResult
from compare.results.verdict_limits import LIMITS, Limits
from compare.results.verdicts import Verdict, rank, reaches


def excused(
    verdict: Verdict, evidence: Mapping[str, TensorEvidence], cause: Cause, limits: Limits = LIMITS
) -> tuple[Verdict, Cause]:
    """Return a verdict on the padded input and its cause, but accept rotary positions that count padding.

    Such positions rotate queries and keys by the same additional angle, so attention does not change. They are not a
    fault if all tensors except queries and keys are within their limits.
    """
    if cause.words == COUNTED:
        rest = {name: found for name, found in evidence.items() if name.partition(".")[0] not in ("query", "key")}
        without = judge(rest, bitwise=False, limits=limits)
        if not reaches(without.kind, "different"):
            return placed(without, evidence), cause
    return verdict, cause


def padded_verdict(verdict: Verdict, cause: Cause) -> Verdict:
    """Return a verdict on the padded input with its cause, and with the side of the padding if only one is wrong."""
    different = verdict.kind == "different"
    (side,) = cause.sides if len(cause.sides) == 1 else ("",)
    padded = f"where sequences are padded{f' on the {side}' if side else ''}"
    return replace(verdict, padded=padded, cause=cause.words if different else "")


def worse(padding: PaddedResult) -> Verdict:
    """Return the worse of the verdicts on the text and on the padded input; the text's if both are of one kind.

    If the text's is "reduced precision" by the size of errors alone, a "different" on the padded input counts only if
    it has a cause, or if a hidden key has a probability: so few numbers do not identify a lower precision.
    """
    text, padded = padding.text, padding.verdict
    if padded is None or rank(padded.kind) <= rank(text.kind):
        return text
    by_size = (text.kind, padded.kind) == ("reduced precision", "different") and not padded.own
    if by_size and not padded.cause and padded.multiple:
        return text
    return padded


def rejudged(padding: PaddedResult, text: Verdict, limits: Limits, quantized: Sequence[str]) -> PaddedResult:
    """Judge a run on the padded input by other limits, from the evidence in a report.

    text: the verdict on the text by these limits. quantized: see `compare.numerics.verdicts.judge`.
    """
    if not padding.evidence or padding.verdict is None:
        return replace(padding, text=text)
    bitwise = padding.verdict.kind == "identical"
    verdict = judge(padding.evidence, bitwise=bitwise, limits=limits, quantized=quantized)
    if verdict.kind == "different":
        verdict, _ = excused(verdict, padding.evidence, Cause(padding.cause), limits)
    return replace(padding, text=text, verdict=padded_verdict(verdict, Cause(padding.cause, padding.sides)))

"""The second input of the numerics: a run judged where sequences are padded, and the worse of its two verdicts.

A runtime that does well on a text without padding may still ignore its attention mask. So each trace has a second part,
of three short sequences (`compare.pipeline.inputs.padded`), which is weighed like the first. Where it is beyond a
limit, why is asked for (`compare.numerics.padding`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from compare.numerics.gaps import WrongShape, check_shapes
from compare.numerics.golden import RULER_LIMIT
from compare.numerics.padding import COUNTED, Cause
from compare.numerics.process import Numerics
from compare.numerics.verdicts import LIMITS, Limits, beyond_limits, judge, placed
from compare.pipeline.context import ModelRun, Row
from compare.processes.child import ChildFailed
from compare.results.gaps import TensorEvidence, evidence_of
from compare.results.runtimes import PaddingPart, RuntimePart
from compare.results.verdicts import VERDICTS, Verdict, reaches
from compare.traces import Trace, forget, same_bits
from export.errors import CannotRun


def judge_padded(run: ModelRun, row: Row, part: RuntimePart, text: Trace, numerics: Numerics) -> None:
    """Fill in what the padded input says of a run of a row that was judged on the text, and the worse of both verdicts.

    text: the run's trace of the text; what was found there to be another tensor is left out here too. Raises
    `CannotRun` where the numerics fail.
    """
    assert part.verdict is not None
    part.padding = PaddingPart(text=part.verdict)
    if row.unpadded:
        part.padding.skipped = row.unpadded
        return
    with run.phase("padding"):
        try:
            verdict, cause = _judged(run, row, part, part.padding, text, numerics)
        except ChildFailed as error:
            raise CannotRun(f"{row.name} could not be weighed where sequences are padded: {error}") from error
    part.padding.cause, part.padding.sides = cause.words, cause.sides
    part.padding.verdict = padded_verdict(verdict, cause)
    part.verdict = worse(part.padding)
    if part.verdict is not part.padding.text:
        run.say(f"{row.name}: {part.verdict.sentence}")


def _judged(
    run: ModelRun, row: Row, part: RuntimePart, padding: PaddingPart, text: Trace, numerics: Numerics
) -> tuple[Verdict, Cause]:
    """The verdict over the trace of the padded input, and why, where it is worse than rounding."""
    golden, ruler = numerics.golden_padded()
    if not ruler.holds:
        raise CannotRun(
            f"the ruler does not hold where sequences are padded: golden differs from transformers eager in float64 by "
            f"{ruler.worst:.1e} of the size of {ruler.tensor}, limit {RULER_LIMIT:.0e}. Nothing is judged; please "
            "report the model's name"
        )
    found = Trace(run.padded_folder(text.folder.name))
    if "error" in found.facts:
        return Verdict(kind="broken", note=f"it ran on the text and not here: {found.facts['error']}"), Cause()
    found = forget(found.folder, [name for name in found if name not in text])
    try:
        check_shapes(found, golden)
    except WrongShape as error:
        return Verdict(kind="broken", note=str(error)), Cause()
    evidence = evidence_of(numerics.weigh_padded(found.folder).values())
    padding.evidence = evidence
    bitwise = row != run.rows[0] and same_bits(found, run.padded_folder(run.rows[0].name))
    verdict = judge(evidence, bitwise=bitwise, quantized=part.graph.quantized if part.graph else ())
    wrong = beyond_limits(evidence, weak=verdict.weak)
    if verdict.kind != "different" or not wrong:
        return verdict, Cause()
    return excused(verdict, evidence, numerics.cause(found.folder, wrong))


def excused(
    verdict: Verdict, evidence: Mapping[str, TensorEvidence], cause: Cause, limits: Limits = LIMITS
) -> tuple[Verdict, Cause]:
    """The verdict, less a fault that is none: rotary positions that count padding.

    They turn queries and keys by other angles, and both by the same, so that attention is what it was. It is none where
    everything but queries and keys is within its limits.
    """
    if cause.words == COUNTED:
        rest = {name: found for name, found in evidence.items() if name.partition(".")[0] not in ("query", "key")}
        without = judge(rest, bitwise=False, limits=limits)
        if not reaches(without.kind, "different"):
            return placed(without, evidence), cause
    return verdict, cause


def padded_verdict(verdict: Verdict, cause: Cause) -> Verdict:
    """A verdict over the padded input, with where it holds and why in words."""
    different = verdict.kind == "different"
    (side,) = cause.sides if len(cause.sides) == 1 else ("",)
    padded = f"where sequences are padded{f' on the {side}' if side else ''}"
    return replace(verdict, padded=padded, cause=cause.words if different else "")


def worse(padding: PaddingPart) -> Verdict:
    """The worse of the verdicts on the text and on the padded input; the text's where they are the same word.

    Of a run in reduced precision a padded one that is different counts where its cause is named, or something stands
    where no key may be seen: over so few numbers the size of an error alone does not tell a lower precision.
    """
    text, padded = padding.text, padding.verdict
    if padded is None or VERDICTS.index(padded.kind) <= VERDICTS.index(text.kind):
        return text
    if (text.kind, padded.kind) == ("reduced precision", "different") and not padded.cause and padded.multiple:
        return text
    return padded


def judged_again(padding: PaddingPart | None, text: Verdict, limits: Limits, quantized: Sequence[str]) -> Verdict:
    """The verdict on a run under other limits, from what a report holds of its padded input, if it had one.

    text: the new verdict on the text. quantized: see `compare.numerics.verdicts.judge`.
    """
    if padding is None:
        return text
    padding.text = text
    if padding.evidence and padding.verdict is not None:
        evidence = padding.evidence
        verdict = judge(evidence, bitwise=padding.verdict.kind == "identical", limits=limits, quantized=quantized)
        if verdict.kind == "different":
            verdict, _ = excused(verdict, evidence, Cause(padding.cause), limits)
        padding.verdict = padded_verdict(verdict, Cause(padding.cause, padding.sides))
    return worse(padding)

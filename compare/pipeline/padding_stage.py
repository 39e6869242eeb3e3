"""Judge each run on the padded input too, and keep the worse of its two verdicts.

A runtime that is right on a text without padding may still ignore its attention mask. So each runtime is also traced on
three short sequences (`compare.pipeline.inputs.padded`), and that trace is judged like the first. If it is beyond a
limit, `compare.numerics.padding` looks for the cause.
"""

from compare.numerics.gaps import WrongShape
from compare.numerics.padded_verdicts import excused, padded_verdict
from compare.numerics.padding import Cause
from compare.numerics.process import Numerics
from compare.numerics.verdicts import beyond_limits, judge, own_evidence
from compare.pipeline.context import ModelRun, Row
from compare.pipeline.row_trace import check_output
from compare.processes.child import ChildFailed
from compare.results.gaps import evidence_of
from compare.results.precisions import FLOAT32
from compare.results.runtimes import PaddedResult
from compare.results.verdicts import Verdict
from compare.traces import Trace, forget, same_bits
from export.errors import CannotRun


def judge_padded(run: ModelRun, row: Row, verdict: Verdict, trace: Trace, numerics: Numerics) -> PaddedResult:
    """Judge a run of a row on the padded input.

    verdict: the verdict on the text. trace: the trace of the text; tensors that were left out of it are left out here
    too. Raises `CannotRun` if the numerics process fails, or if the ruler does not hold.
    """
    if row.unpadded:
        return PaddedResult(text=verdict, skipped=row.unpadded)
    with run.untimed_phase("padding"):
        try:
            return _judged(run, row, verdict, trace, numerics)
        except ChildFailed as error:
            raise CannotRun(f"the gaps of {row.name} on the padded input could not be computed: {error}") from error


def _judged(run: ModelRun, row: Row, text: Verdict, trace: Trace, numerics: Numerics) -> PaddedResult:
    """Return the verdicts on both inputs, and the cause if the run is "different" on the padded one.

    text: the verdict on the text.
    """
    golden, ruler = numerics.golden_padded()
    if not ruler.holds:
        raise CannotRun(ruler.why_not("on the padded input"))
    padded = Trace(run.padded_folder(trace.folder.name))
    if "error" in padded.facts:
        return _broken(text, f"it ran on the text but not here: {padded.facts['error']}")
    padded = forget(padded.folder, [name for name in padded if name not in trace])
    try:
        check_output(padded, golden)
    except WrongShape as error:
        return _broken(text, str(error))
    precision = run.precision_of(row.name)
    evidence = evidence_of(numerics.weigh_padded(padded.folder, precision).values())
    bitwise = row != run.baseline and same_bits(padded, run.padded_folder(run.baseline.name))
    verdict, cause = judge(evidence, bitwise=bitwise, quantized=row.quantized), Cause()
    wrong = beyond_limits(own_evidence(evidence) if verdict.own else evidence, weak=verdict.weak)
    if verdict.kind == "different" and wrong:
        known = numerics.cause(padded.folder, wrong, precision if verdict.own else FLOAT32)
        verdict, cause = excused(verdict, evidence, known)
    return PaddedResult(
        text=text,
        verdict=padded_verdict(verdict, cause),
        cause=cause.words,
        sides=cause.sides,
        evidence=evidence,
    )


def _broken(text: Verdict, note: str) -> PaddedResult:
    """Return the verdict on the text, and "broken" on the padded input. note: the reason."""
    return PaddedResult(text=text, verdict=padded_verdict(Verdict(kind="broken", note=note), Cause()))

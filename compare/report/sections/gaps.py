"""The largest gaps of each runtime and its verdict."""

from compare.report.formatting import KINDS, NOTHING, Table, number
from compare.report.schema import Report
from compare.report.sections.next_tokens import changed_tokens
from compare.report.sections.section import Section
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import Verdict

_NOTES = (
    "golden: the model in float64, with which every run is compared. x rounding: the largest logit gap, in units of "
    "the largest one among float32 runs that only sum in other orders. above diagonal: the largest probability above "
    f"the causal diagonal, which must be 0. {NOTHING}: not exposed. verdict: rounding, identical: the same model."
)
_HYBRID = " (hybrid): only the attention runs in that library."


def tables(report: Report) -> list[Table]:
    """Show the largest gap of each kind of tensor, a row for each runtime."""
    if report.model is None:
        return []
    rows = []
    for runtime in report.runtimes:
        name = runtime.name + (" (hybrid)" if runtime.hybrid else "")
        if runtime.error:
            rows.append([name, *[NOTHING] * (len(KINDS) + 2), f"failed: {runtime.error}"])
            continue
        rows.append(
            [
                name,
                *[number(runtime.largest(kind)) for kind in KINDS],
                number(in_rounding(runtime)),
                number(runtime.above_diagonal()),
                verdict_cell(runtime),
            ]
        )
    columns = ["runtime", *KINDS.values(), "x rounding", "above diagonal", "verdict"]
    notes = _NOTES + (_HYBRID if any(runtime.hybrid for runtime in report.runtimes) else "")
    return [Table("Largest gap to golden (float64), by kind of tensor", columns, rows, notes)]


def sentences(report: Report) -> list[str]:
    """Say what one unit of rounding is, then each runtime's verdict."""
    if report.model is None:
        return []
    lines = []
    if report.controls is not None:
        lines.append(
            f"1 x rounding is the largest difference from golden among {report.controls.distinct} controls: "
            "float32 runs of the model that each sum in an order of their own."
        )
    for runtime in report.runtimes:
        if runtime.verdict:
            verdict = _verdict_sentence(runtime, runtime.verdict)
            lines.append(f"{runtime.name}  {verdict}{changed_tokens(report, runtime)}")
            lines += _runs(runtime.name, runtime.verdict)
    return lines


def verdict_cell(runtime: RuntimeResult) -> str:
    """Write a verdict in one cell: the word, and where a difference begins."""
    if runtime.verdict is None:
        return NOTHING
    word = runtime.verdict.kind + (" where padded" if runtime.verdict.padded else "")
    if runtime.verdict.kind in ("unsteady", "different"):
        return ": ".join(filter(None, (word, runtime.verdict.cause or runtime.verdict.place)))
    if runtime.verdict.kind == "reduced precision":
        return f"reduced precision: {runtime.verdict.precision}"
    return word


def in_own_units(runtime: RuntimeResult) -> float | None:
    """Return the largest logit gap in units of what the runtime's precision does: float32, or the verdict's own."""
    evidence = next((gap.evidence for gap in runtime.gaps if gap.tensor == "logits"), None)
    judged_by_own = runtime.verdict is not None and runtime.verdict.own
    if evidence is None or not judged_by_own or evidence.own is None:
        return in_rounding(runtime)
    return evidence.own.accumulated.max


def in_rounding(runtime: RuntimeResult) -> float | None:
    """Return the largest logit gap, in units of the largest among the controls; None if there is no evidence."""
    evidence = next((gap.evidence for gap in runtime.gaps if gap.tensor == "logits"), None)
    return None if evidence is None else evidence.accumulated.max


def _verdict_sentence(runtime: RuntimeResult, verdict: Verdict) -> str:
    """Return a verdict as a sentence. For "rounding", it states the logit gap."""
    multiple = in_rounding(runtime)
    if verdict.kind != "rounding" or multiple is None:
        return verdict.sentence
    return f"same model: largest logit gap {number(runtime.largest('logits'))} = {multiple:.2g} x rounding"


def _runs(name: str, verdict: Verdict) -> list[str]:
    """Return a line for each run of an unsteady runtime. Gaps and other numbers are those of the first run."""
    if verdict.kind != "unsteady":
        return []
    return [f"{name}, run {number}  {run.sentence}" for number, run in enumerate(verdict.runs, start=1)]


SECTION = Section("gaps", tables, sentences)

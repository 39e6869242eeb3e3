"""The largest gaps of each runtime and its verdict."""

from compare.report.formatting import NOTHING, Table, number, output_word, verdict_cell
from compare.report.schema import Report
from compare.report.sections.embeddings import changed_embeddings
from compare.report.sections.next_tokens import changed_tokens
from compare.report.sections.section import Section
from compare.report.sections.tensors import shown_kinds
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import Verdict

_NOTES = (
    "golden: the model in float64, with which every run is compared. x rounding: the largest {word} gap, in units of "
    "the largest one among float32 runs that only sum in other orders. {diagonal}"
    f"{NOTHING}: not exposed. verdict: rounding, identical: the same model."
)
_DIAGONAL = "above diagonal: the largest probability above the causal diagonal, which must be 0. "
_HYBRID = " (hybrid): only the attention runs in that library."


def tables(report: Report) -> list[Table]:
    """Show the largest gap of each kind of tensor, a row for each runtime."""
    if report.model is None:
        return []
    kinds, causal = shown_kinds(report), report.output == "logits"
    columns = ["runtime", *kinds.values(), "x rounding", *(["above diagonal"] if causal else []), "verdict"]
    rows = []
    for runtime in report.runtimes:
        name = runtime.name + (" (hybrid)" if runtime.hybrid else "")
        if runtime.error:
            rows.append([name, *[NOTHING] * (len(columns) - 2), f"failed: {runtime.error}"])
            continue
        rows.append(
            [
                name,
                *[number(runtime.largest(kind)) for kind in kinds],
                number(runtime.in_rounding),
                *([number(runtime.above_diagonal())] if causal else []),
                verdict_cell(runtime),
            ]
        )
    notes = _NOTES.format(word=report.output_word, diagonal=_DIAGONAL if causal else "")
    notes += _HYBRID if any(runtime.hybrid for runtime in report.runtimes) else ""
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
            changed = changed_tokens(report, runtime) + changed_embeddings(runtime)
            lines.append(f"{runtime.name}  {verdict}{changed}")
            lines += _runs(runtime.name, runtime.verdict)
    return lines


def _verdict_sentence(runtime: RuntimeResult, verdict: Verdict) -> str:
    """Return a verdict as a sentence. For "rounding", it states the gap of the output."""
    multiple = runtime.in_rounding
    if verdict.kind != "rounding" or multiple is None or runtime.output is None:
        return verdict.sentence
    word = output_word(runtime.output.tensor)
    return f"same model: largest {word} gap {number(runtime.output_gap)} = {multiple:.2g} x rounding"


def _runs(name: str, verdict: Verdict) -> list[str]:
    """Return a line for each run of an unsteady runtime. Gaps and other numbers are those of the first run."""
    if verdict.kind != "unsteady":
        return []
    return [f"{name}, run {number}  {run.sentence}" for number, run in enumerate(verdict.runs, start=1)]


SECTION = Section("gaps", tables, sentences)

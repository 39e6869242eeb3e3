"""Two ONNX files compared without a model, tensor by tensor."""

from compare.report.formatting import NOTHING, Table, number, place_words
from compare.report.schema import Report
from compare.report.sections.section import Section
from compare.results.precisions import UNIT_ROUNDOFF

_NOTES = (
    "relative gap: root mean square of the gap over that of the tensor, in units of float32's unit roundoff (2**-24). "
    "at: where the largest gap is."
)


def tables(report: Report) -> list[Table]:
    """Show the tensors of the file in execution order."""
    if report.model is not None:
        return []
    alone = report.input.batch == 1
    rows = []
    for gap in report.runtimes[-1].gaps:
        place = NOTHING if gap.place is None else place_words(gap.tensor, gap.place, report.input.tokens, alone=alone)
        relative = None if gap.rms is None or not gap.size else gap.rms / gap.size / UNIT_ROUNDOFF
        bitwise = {True: "yes", False: "no", None: "not exposed"}[gap.bitwise]
        rows.append([gap.tensor, bitwise, number(relative), number(gap.max), place])
    columns = ["tensor", "bitwise equal", "relative gap", "largest gap", "at"]
    return [Table(f"{report.subject}, tensor by tensor", columns, rows, _NOTES)]


def sentences(report: Report) -> list[str]:
    """Say each file's verdict."""
    if report.model is not None:
        return []
    return [f"{runtime.name}  {runtime.verdict.sentence}" for runtime in report.runtimes if runtime.verdict]


SECTION = Section("pair", tables, sentences)

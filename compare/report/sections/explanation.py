"""Show the evidence for one runtime's verdict (`--explain`). This is not a section, because it is about one runtime."""

from collections.abc import Mapping, Sequence

from compare.report.formatting import NOTHING, Table, number, place_words
from compare.report.schema import Report
from compare.results.gaps import Gap, TensorEvidence
from compare.results.precisions import UNIT_ROUNDOFF, gamma
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import Verdict
from export.errors import BadInput, near

_NOTES = (
    "Tensors are in the order of execution, and errors in units of {unit}. RMS, max, channel (the worst), slope: "
    "the error made in the tensor's own segment. from golden: the accumulated error, from the model in float64. The "
    "verdict rests on the tensor that is marked <-."
)
_METRIC_NOTES = (
    "u: float32's unit roundoff. ULPs: units in the last place. local error: of the tensor's own segment, over the "
    "tensor's size; gamma_n: the bound that no order of summation can exceed. total variation, relative: of rows of "
    "attention. other key: rows whose likeliest key is not golden's, and how many of them by more than rounding. "
    "golden: the model in float64."
)


def tables(report: Report, name: str) -> list[Table]:
    """Return the evidence for a runtime's verdict on both inputs, and the metrics that are not judged, as tables.

    Raises `BadInput` for a runtime that the report does not have.
    """
    runtime = _runtime_of(report, name)
    return [_on_the_text(report, runtime), *_on_the_padded_input(report, runtime), *_other_metrics(runtime)]


def _runtime_of(report: Report, name: str) -> RuntimeResult:
    names = [runtime.name for runtime in report.runtimes]
    if name not in names:
        raise BadInput(f"the report has no runtime {name!r}; {near(name, names)}")
    return report.runtimes[names.index(name)]


def _on_the_text(report: Report, runtime: RuntimeResult) -> Table:
    verdict = runtime.padding.text if runtime.padding else runtime.verdict
    title = f"{runtime.name}: {verdict.sentence if verdict else f'no verdict: {runtime.error}'}"
    evidence = {gap.tensor: gap.evidence for gap in runtime.gaps}
    return _evidence_table(title, evidence, verdict, report.input.tokens, alone=report.input.batch == 1)


def _on_the_padded_input(report: Report, runtime: RuntimeResult) -> list[Table]:
    """Return the table for the padded input; empty if the runtime has no evidence there."""
    padding = runtime.padding
    if padding is None or not padding.evidence:
        return []
    title = f"{runtime.name}: {padding.verdict.sentence if padding.verdict else ''}"
    return [_evidence_table(title, padding.evidence, padding.verdict, report.input.tokens, alone=False)]


def _evidence_table(
    title: str,
    evidence: Mapping[str, TensorEvidence | None],
    verdict: Verdict | None,
    tokens: Sequence[str],
    *,
    alone: bool,
) -> Table:
    """Return the evidence by tensor. tokens: those of the first sequence. alone: whether the batch has no other one."""
    rows = []
    for tensor, known in evidence.items():
        if known is None:
            rows.append([tensor, *[NOTHING] * 6, "not exposed"])
            continue
        judged = known.own if verdict is not None and verdict.own and known.own is not None else known
        local = judged.local
        errors = [local.rms, local.max, local.channel, local.slope] if local else [None] * 4
        total = [number(judged.accumulated.rms), number(judged.accumulated.max)]
        first = verdict is not None and tensor == verdict.tensor
        where = place_words(tensor, known.place, tokens, alone=alone)
        rows.append([tensor + (" <-" if first else ""), *map(number, errors), *total, where])
    columns = ["tensor", "RMS", "max", "channel", "slope", "from golden: RMS", "max"]
    columns += ["place of the largest local error"]
    unit = f"what {verdict.precision} alone does" if verdict is not None and verdict.own else "rounding"
    return Table(title, columns, rows, _NOTES.format(unit=unit))


def _other_metrics(runtime: RuntimeResult) -> list[Table]:
    """Return ULPs, the a-priori bound and metrics of attention rows by tensor; empty if the report has none."""
    rows = []
    for gap in runtime.gaps:
        if not gap.ulps:
            continue
        softmax = gap.softmax
        attention = [NOTHING] * 4
        if softmax:
            flips = f"{softmax.flips} ({softmax.real_flips} beyond rounding)" if softmax.flips else "0"
            attention = [
                *map(number, (softmax.row_sums, softmax.variation, softmax.relative)),
                f"{flips} of {softmax.rows}",
            ]
        rows.append([gap.tensor, *map(number, gap.ulps), *_error_and_bound(gap), *attention])
    columns = ["tensor", "ULPs, median", "99 %", "99.9 %", "local error, u", "gamma_n, u"]
    columns += ["row sums off 1", "total variation", "relative", "other key"]
    return [Table(f"{runtime.name}: metrics that are not judged", columns, rows, _METRIC_NOTES)] if rows else []


def _error_and_bound(gap: Gap) -> list[str]:
    """Return a tensor's local error over its size and the bound on its longest sum, both in unit roundoffs."""
    if gap.evidence is None or gap.evidence.local is None:
        return [NOTHING] * 2
    return [number(gap.evidence.relative / UNIT_ROUNDOFF), number(gamma(gap.evidence.terms) / UNIT_ROUNDOFF)]

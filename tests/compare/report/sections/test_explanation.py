"""Tests of the explanation of a verdict."""

from dataclasses import replace

from compare.report.schema import Report
from compare.report.sections import explanation
from compare.results.gaps import Multiples, OwnEvidence
from compare.results.verdicts import Verdict


def test_errors_are_below_what_no_order_of_sums_can_exceed(report: Report) -> None:
    """The tiny model: 64 wide, four heads of 16, 20 tokens. Rounding errors are far below the bound, but not zero."""
    metrics = explanation.tables(report, "onnxruntime")[-1]
    assert metrics.title == "onnxruntime: metrics that are not judged"
    place, bound = metrics.columns.index("local error, u"), metrics.columns.index("gamma_n, u")
    found = {row[0]: (row[place], row[bound]) for row in metrics.rows}
    assert [found[name][1] for name in ("hidden_state.0", "query.1", "attention.1", "context.0", "hidden_state.2")] == [
        "2", "64", "20", "20", "256"
    ]  # fmt: skip
    for name, (error, limit) in found.items():
        assert float(error) < float(limit), name
    assert float(found["query.1"][0]) > 0.1


def test_a_verdict_by_the_floors_of_a_lower_precision_is_explained_in_these(altered: Report) -> None:
    row = next(runtime for runtime in altered.runtimes if runtime.name == "onnxruntime")
    row.verdict = Verdict(kind="reduced precision", precision="bf16", tensor="logits", statistic="rms", own=True)
    row.padding = None
    own = Multiples(rms=0.5, max=0.25, channel=0.0, slope=0.0)
    judged = OwnEvidence(precision="bf16", local=own, accumulated=own)
    row.gaps = [replace(gap, evidence=replace(gap.evidence, own=judged)) for gap in row.gaps]
    table = explanation.tables(altered, "onnxruntime")[0]
    assert {tuple(cells[1:3]) for cells in table.rows if cells[-1] != "not exposed"} == {("0.5", "0.25")}
    assert "errors in units of what bf16 alone does" in table.notes

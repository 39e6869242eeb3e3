"""Tests of the explanation of a verdict."""

from compare.report.schema import Report
from compare.report.sections import explanation


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

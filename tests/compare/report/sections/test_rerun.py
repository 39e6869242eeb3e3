"""Tests of the section on reruns."""

from compare.report.formatting import NOTHING, number
from compare.report.schema import Report
from compare.report.sections import rerun
from compare.results.reruns import RerunGaps


def test_gaps_to_itself_stand_next_to_those_to_others(altered: Report) -> None:
    altered.self_gaps = [
        RerunGaps(runtime="torch-eager", gaps={"again": 0.0, "1 thread": 2e-6}),
        RerunGaps(runtime="onnxruntime", gaps={"again": 0.0, "torch-eager": 3e-6}, missing={"1 thread": "killed"}),
    ]
    (table,) = rerun.tables(altered)
    assert table.columns == ["runtime", "again", "1 thread", "to torch-eager", "golden", "as timed"]
    golden = [number(r.largest("logits")) for r in altered.runtimes if r.name in ("torch-eager", "onnxruntime")]
    assert table.rows == [
        ["torch-eager", "0", "2.0e-06", NOTHING, golden[0], NOTHING],
        ["onnxruntime", "0", NOTHING, "3.0e-06", golden[1], NOTHING],
    ]
    assert rerun.sentences(altered) == ["onnxruntime was not run with 1 thread: killed."]
    altered.self_gaps = []
    assert (rerun.tables(altered), rerun.sentences(altered)) == ([], [])

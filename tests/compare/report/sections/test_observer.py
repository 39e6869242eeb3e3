"""Tests of the section on the observer effect."""

from compare.report.schema import Report
from compare.report.sections import observer
from compare.results.latency import Ratio
from compare.results.reruns import ObserverEffect


def test_the_observer_effect_names_the_fusions_that_taps_undo(altered: Report) -> None:
    ratio = Ratio(estimate=1.2, low=1.1, high=1.3)
    altered.observer = ObserverEffect(
        runtime="onnxruntime", ratio=ratio, nodes=(9, 7), operators={"Gelu": (0, 1)}, gap=1e-6
    )
    (table,) = observer.tables(altered)
    assert table.rows == [["onnxruntime", "1.200 [1.100, 1.300]", "1.0e-06", "9 / 7"]]
    assert observer.sentences(altered) == [
        "Operators that onnxruntime does not run equally often, exposed / deploy: Gelu 0 / 1."
    ]
    altered.observer.error = "killed"
    assert observer.tables(altered) == []

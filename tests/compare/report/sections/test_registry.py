"""Test that every section is registered, and properties of all tables."""

from pathlib import Path

from compare.report.advice import answer
from compare.report.schema import Report
from compare.report.sections import explanation, gaps, latency, registry
from compare.report.sections.registry import SECTIONS
from compare.results.latency import LatencyRow
from compare.results.runtimes import RuntimeResult


def test_every_file_of_a_topic_is_registered_under_its_name() -> None:
    assert [section.name for section in SECTIONS] == list(registry.TOPICS)
    files = {path.stem for path in Path(registry.__file__).parent.glob("*.py")}
    assert files - set(registry.TOPICS) == {"__init__", "section", "registry", "explanation"}


def test_a_runtime_that_failed_is_a_row_in_every_table(altered: Report) -> None:
    altered.runtimes.append(
        RuntimeResult(name="broken", precision="float32", hybrid=False, named=False, error="killed")
    )
    altered.latency.append(LatencyRow(runtime="broken", again=False, error="killed"))
    assert gaps.tables(altered)[0].rows[-1][-1] == "failed: killed"
    assert any(row[0] == "broken" and row[3] == "failed: killed" for row in latency.tables(altered)[0].rows)
    assert "broken did not run: killed." in answer(altered)
    assert altered.exit_code() == 0  # the user did not name it
    altered.runtimes[-1].named = True
    assert altered.exit_code() == 3


def test_tables_hold_as_many_cells_as_columns(altered: Report) -> None:
    altered.runtimes.append(
        RuntimeResult(name="broken", precision="float32", hybrid=False, named=False, error="killed")
    )
    altered.latency.append(LatencyRow(runtime="broken", again=False, error="killed"))
    every = [table for section in SECTIONS for table in (*section.tables(altered), *section.details(altered))]
    assert len(every) > 10
    for table in [*every, *explanation.tables(altered, "broken"), *explanation.tables(altered, "onnxruntime")]:
        assert {len(row) for row in table.rows} <= {len(table.columns)}

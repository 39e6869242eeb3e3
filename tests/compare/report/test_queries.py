"""The queries of docs/queries.md, run on real reports."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.helpers.documents import DOCS, blocks

QUERIES = [block.text for block in blocks((DOCS / "queries.md").read_text()) if block.language == "sql"]


@pytest.fixture
def two_reports(report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder whose cache has one report twice."""
    for name in ("one", "two"):
        folder = tmp_path / "cache" / "reports" / name
        folder.mkdir(parents=True)
        shutil.copy(report.folder / "report.json", folder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows_of(query: str) -> list[dict[str, Any]]:
    """Run a query, and return its rows by column."""
    found = duckdb.sql(query)
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def test_there_are_three() -> None:
    assert len(QUERIES) == 3


def test_verdicts_are_counted(report, two_reports: Path) -> None:
    verdicts = {runtime.name: runtime.verdict.kind if runtime.verdict else "did not run" for runtime in report.runtimes}
    rows = rows_of(QUERIES[0])
    assert Counter((row["runtime"], row["verdict"]) for row in rows) == Counter(verdicts.items())
    assert {(row["model"], row["reports"]) for row in rows} == {(report.model.name, 2)}


def test_ratios_are_those_of_the_reports(report, two_reports: Path) -> None:
    timed = {(row.runtime, row.again): round(row.ratio.estimate, 3) for row in report.latency if row.ratio}
    rows = rows_of(QUERIES[1])
    assert timed
    assert {(row["runtime"], row["again"]): row["ratio"] for row in rows} == pytest.approx(timed)
    assert len(rows) == 2 * len(timed)


def test_the_largest_errors_are_found(report, two_reports: Path) -> None:
    rows = {row["kind"]: row for row in rows_of(QUERIES[2])}
    weighed = [
        (gap, runtime) for runtime in report.runtimes for gap in runtime.gaps if gap.evidence and gap.evidence.local
    ]
    assert set(rows) == {gap.tensor.partition(".")[0] for gap, _ in weighed}
    gap, _ = max(weighed, key=lambda pair: pair[0].evidence.local.rms)
    first = next(iter(rows.values()))
    assert first["rms"] == pytest.approx(gap.evidence.local.rms)
    assert first["tensor"] == gap.tensor


def test_the_example_in_python_runs(two_reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = (block for block in blocks((DOCS / "queries.md").read_text()) if block.language == "python")
    exec(block.text, {})
    assert "rounds" in capsys.readouterr().out

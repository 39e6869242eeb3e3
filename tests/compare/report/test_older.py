"""Test that a report of schema 8 can be shown, judged by other limits, and compared."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from compare.diff.compare import diff
from compare.rejudge import rejudge
from compare.report.older import DROPPED_WORK
from compare.report.render.full import print_report
from compare.report.render.markdown import to_markdown
from compare.report.schema import SCHEMA, Report
from export.errors import BadInput

SCHEMA_8 = Path(__file__).with_name("schema_8.json")


@pytest.fixture
def older() -> Report:
    return Report.read(SCHEMA_8)


def test_its_fields_are_todays(older: Report) -> None:
    assert older.schema_version == SCHEMA
    assert older.limits is not None and older.limits.work is not None
    assert older.limits.work.past == 32
    assert [(row.alone.turns, row.beside.turns) for row in older.interference] == [({0: [10**6]}, {0: [1500000]})] * 2
    assert all(gap.evidence.padding == 0 for runtime in older.runtimes for gap in runtime.gaps if gap.evidence)


def test_it_is_shown(older: Report) -> None:
    file = io.StringIO()
    print_report(older, Console(file=file, width=140))
    assert "onnxruntime  same model: largest logit gap" in file.getvalue()
    assert "tensor by tensor" in to_markdown(older)


def test_it_is_judged_by_other_limits(older: Report) -> None:
    for rounding, kind in ((2.0, "rounding"), (1e-3, "different")):
        verdicts = [runtime.verdict for runtime in rejudge(older, rounding).runtimes]
        assert [verdict.kind for verdict in verdicts if verdict] == [kind] * 2


def test_it_is_compared_with_itself(older: Report) -> None:
    assert diff(older, older).exit_code() == 0


def test_what_is_written_of_it_is_read_again(older: Report, tmp_path: Path) -> None:
    older.write(tmp_path)
    assert Report.read(tmp_path) == older


@pytest.mark.parametrize("field", DROPPED_WORK)
def test_a_report_of_today_has_no_field_of_then(older: Report, tmp_path: Path, field: str) -> None:
    plain = json.loads(older.model_dump_json())
    plain["limits"]["work"][field] = 1
    (tmp_path / "report.json").write_text(json.dumps(plain))
    with pytest.raises(BadInput, match=f"no report of schema {SCHEMA}: limits.work.{field}: "):
        Report.read(tmp_path)

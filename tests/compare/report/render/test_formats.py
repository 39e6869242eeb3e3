"""Test that each format has a module, and that only one can be chosen."""

import pytest

from compare.report.render.formats import Format, check_timed, chosen_format, print_as
from compare.report.schema import Report
from export.errors import BadInput


@pytest.mark.parametrize("shape", Format)
def test_every_format_prints_a_report(shape: Format, report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    print_as(report, shape)
    assert ("Same model: " if shape is Format.QUIET else "torch-eager") in capsys.readouterr().out


def test_json_is_the_report(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    print_as(report, Format("json"))
    assert Report.model_validate_json(capsys.readouterr().out).model_dump() == report.model_dump()


def test_one_format_at_a_time() -> None:
    assert chosen_format(None, markdown=True) is Format.MARKDOWN
    with pytest.raises(BadInput, match="--json and --format markdown exclude each other"):
        chosen_format(Format.MARKDOWN, json=True)


@pytest.mark.parametrize("shape", Format)
def test_only_a_format_of_times_needs_them(shape: Format) -> None:
    check_timed(shape, timed=True)
    if shape is Format.PYTEST_BENCHMARK:
        with pytest.raises(BadInput, match="--format pytest-benchmark contains only times"):
            check_timed(shape, timed=False)
    else:
        check_timed(shape, timed=False)

"""A fixture of the tests of `diff`."""

import pytest

from compare.report.schema import Report


@pytest.fixture
def altered(report: Report) -> Report:
    """A copy of the report, its samples as they are, free to be altered."""
    return report.model_copy(deep=True)

"""A fixture of the tests of `diff`."""

import pytest

from compare.report.schema import Report


@pytest.fixture
def altered(report: Report) -> Report:
    """A copy of the report that a test may change, with its own samples."""
    return report.model_copy(deep=True)

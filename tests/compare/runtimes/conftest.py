"""Fixtures for tests of runtimes."""

from collections.abc import Iterator

import pytest

from tests.helpers.runtimes import close_all


@pytest.fixture(autouse=True)
def close_what_was_loaded() -> Iterator[None]:
    """Close the runtimes that a test has loaded, so that none of their processes remains."""
    yield
    close_all()

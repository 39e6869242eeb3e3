"""The fixture that several files of the battery's tests use."""

import pytest

from compare.battery.cases import make_inputs
from compare.battery.judging import Weigher


@pytest.fixture(scope="session")
def weighers():
    """A function that returns the weigher of a case by name, made once."""
    made: dict[str, Weigher] = {}

    def of(name: str) -> Weigher:
        if name not in made:
            made[name] = Weigher(make_inputs(name))
        return made[name]

    return of

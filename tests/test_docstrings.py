"""Every example in a docstring is run; the public functions must have one."""

import doctest
import importlib
import pkgutil

import pytest

import compare
import export


def _modules() -> list[str]:
    found = [
        m.name for package in (export, compare) for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    ]
    beside = ["benchmarks.faults", "benchmarks.scaling", "benchmarks.trials", "tests.faults.kinds"]
    return [name for name in found if not name.endswith("__main__")] + beside


@pytest.mark.parametrize("name", _modules())
def test_examples_of_docstrings_hold(name: str) -> None:
    module = importlib.import_module(name)
    results = doctest.testmod(module, extraglobs={"np": __import__("numpy")}, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0


@pytest.mark.parametrize("name", compare.__all__)
def test_public_functions_have_an_example(name: str) -> None:
    assert ">>>" in (getattr(compare, name).__doc__ or "")

"""Run every example in a docstring, and check that each public function has one."""

import doctest
import importlib
import pkgutil
from typing import Any

import pytest

import compare
import export
from compare.runtimes.registry import BUILT_IN

#: Modules that can be imported only if the dependencies of a pytest marker are installed.
MARKED = {"compare.runtimes.optimum_onnxruntime": pytest.mark.optimum}


def _modules() -> list[Any]:
    found = [
        m.name for package in (export, compare) for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    ]
    beside = [
        "benchmarks.handoff_check",
        "benchmarks.load",
        "benchmarks.progress",
        "benchmarks.proportions",
        "benchmarks.scaling",
        "benchmarks.trials",
        "tests.faults.kinds.fault",
    ]
    elsewhere = {spec.target.partition(":")[0] for spec in BUILT_IN if spec.environment}  # their library is not here
    modules = [name for name in found if not name.endswith("__main__") and name not in elsewhere] + beside
    return [pytest.param(name, marks=MARKED.get(name, ())) for name in modules]


@pytest.mark.parametrize("name", _modules())
def test_examples_of_docstrings_hold(name: str) -> None:
    module = importlib.import_module(name)
    results = doctest.testmod(module, extraglobs={"np": __import__("numpy")}, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0


@pytest.mark.parametrize("name", compare.__all__)
def test_public_functions_have_an_example(name: str) -> None:
    assert ">>>" in (getattr(compare, name).__doc__ or "")

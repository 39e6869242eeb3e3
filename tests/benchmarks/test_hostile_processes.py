"""Tests of the hostile inputs that are not decided at once: one of each mechanism, in a process of its own."""

from pathlib import Path

import pytest

from benchmarks.hostile_cases.case import Case
from benchmarks.hostile_cases.judge import faults
from benchmarks.hostile_cases.registry import every_case, spread
from benchmarks.hostile_cases.run import run
from benchmarks.hostile_cases.stock import Stock

CASES = every_case()
ELSEWHERE = {case.mechanism for case in CASES if case.fast}  # tests/benchmarks/test_hostile.py
SLOW = spread([case for case in CASES if case.mechanism not in ELSEWHERE], 1)


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    made = Stock(tmp_path_factory.mktemp("stock"))
    made.make()
    return made


@pytest.mark.slow
@pytest.mark.parametrize("case", SLOW, ids=lambda case: ascii(case.mechanism)[1:-1])
def test_one_of_each_mechanism(case: Case, tmp_path: Path, stock: Stock) -> None:
    assert list(faults(case, run(case, tmp_path / "case", stock))) == []

"""The result of the battery: its table, the lines below it, and its exit codes."""

import pytest

from compare.battery.cases import cases_named
from compare.battery.result import Battery, Cell
from compare.battery.text import findings, lines, listing, tables
from tests.helpers import planted_kernels


def battery(*cells: Cell, **kernel) -> Battery:
    return Battery.model_validate(
        {
            "seed": 0, "threads": 1, "commit": None, "processor": "", "versions": {}, "seconds": 1.0,
            "cases": [{"name": cell.case, "summary": "", "controls": 1, "distinct": 1} for cell in cells],
            "kernels": [{"name": "k", "summary": "", "cells": list(cells), **kernel}],
        }
    )  # fmt: skip


def test_the_table_and_the_lines_below_it() -> None:
    found = battery(
        Cell(case="a", kind="rounding", multiple=0.813),
        Cell(case="b", kind="different", multiple=57.3, statistic="max", note="1 where golden has 2"),
        Cell(case="c", kind="not asked", note="no soft cap"),
        Cell(case="d", kind="broken", where="NaN", note="NaN in 2 of 3 rows"),
        Cell(case="e", kind="failed", note="killed by SIGSEGV"),
        nodes={"passed": 7, "wrong": {"attention_4d": "Y is off"}, "not_asked": {"a cache": 2}},
    )
    (table,) = tables(found)
    assert [row[1] for row in table.rows] == [
        "rounding 0.81", "different 57", "not asked: no soft cap", "broken: NaN", "failed: killed by SIGSEGV", "7 of 8"
    ]  # fmt: skip
    assert lines(found) == [
        "k, b: different, 57 x rounding (max): 1 where golden has 2",
        "k, d: broken: NaN in 2 of 3 rows",
        "k, e: failed: killed by SIGSEGV",
        "k, node cases not asked: a cache (2)",
        "k, node cases not passed: attention_4d",
        "1 of 4 cells are rounding (5 cases, 1 kernels, 1 cells not asked; seed 0, 1 s)",
    ]


@pytest.mark.parametrize(
    ("kind", "fail_on", "code"),
    [
        ("different", None, 0), ("different", "different", 1), ("different", "broken", 0), ("failed", "broken", 1),
        ("failed", None, 0), ("not asked", "rounding", 0), ("rounding", "rounding", 1),
    ],
)  # fmt: skip
def test_exit_codes(kind: str, fail_on: str | None, code: int) -> None:
    assert battery(Cell(case="a", kind=kind)).exit_code(fail_on) == code


def test_a_named_kernel_that_is_missing_ends_with_3() -> None:
    missing = {"missing": "needs x (not installed); install with: pip install x", "cells": []}
    assert battery(named=True, **missing).exit_code() == 3
    assert battery(named=False, **missing).exit_code() == 0
    assert findings(battery(**missing)) == ["k needs x (not installed); install with: pip install x"]


def test_the_list_says_what_installs_the_missing() -> None:
    first, second = listing([planted_kernels.ABSENT], cases_named(["plain"]))
    assert first == "kernel  absent  missing no_such_package_9: pip install absent  not installed"
    assert second.startswith("case    plain ")

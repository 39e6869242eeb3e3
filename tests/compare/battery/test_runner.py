"""Runs of the battery: a kernel that crashes, hangs or raises costs only its own cells."""

import pytest

from compare.battery.cases import cases_named
from compare.battery.kernels.registry import KernelSpec, kernels_named
from compare.battery.result import Battery, Cell
from compare.battery.runner import run_battery
from compare.battery.text import findings
from tests.helpers import planted_kernels
from tests.helpers.planted_kernels import planted


def run(*kernels: KernelSpec, cases=("plain", "soft-cap", "causal"), **options) -> Battery:
    return run_battery(kernels, cases_named(cases), **{"node_cases": False, "threads": 1, **options})


def test_a_kernel_that_crashes_costs_a_cell_and_no_more() -> None:
    found = run(planted(planted_kernels.Crashes), kernels_named(["numpy-reference"])[0])
    kinds = [[cell.kind for cell in kernel.cells] for kernel in found.kernels]
    assert kinds == [["rounding", "failed", "rounding"], ["rounding"] * 3]
    assert found.kernels[0].cells[1].note == "killed by SIGSEGV"
    assert "crashes, soft-cap: failed: killed by SIGSEGV" in findings(found)


def test_a_kernel_that_hangs_is_ended(hangs_time_out) -> None:
    found = run(planted(planted_kernels.Hangs), timeout=90)
    assert [cell.kind for cell in found.kernels[0].cells] == ["rounding", "failed", "rounding"]
    assert found.kernels[0].cells[1].note == "no answer within 90 s"


def test_a_kernel_that_keeps_crashing_is_not_run_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compare.battery.runner.MOST_LOST", 1)
    (kernel,) = run(planted(planted_kernels.Crashes), cases=("soft-cap", "plain")).kernels
    assert [cell.note for cell in kernel.cells] == [
        "killed by SIGSEGV", "not run, because 1 earlier cases ended the process, the last with: killed by SIGSEGV"
    ]  # fmt: skip


def test_cells_say_what_a_kernel_raised_or_lacks() -> None:
    raises, shape, off, picky, absent = run(
        *map(planted, (planted_kernels.Raises, planted_kernels.WrongShape, planted_kernels.ScaleOff)),
        planted(planted_kernels.NoCausal),
        planted_kernels.ABSENT,
        cases=("causal",),
        named=True,
    ).kernels
    assert raises.cells[0].note == "RuntimeError: no kernel for this"
    assert shape.cells[0].note == "gives shape (2, 4, 48, 31), expected (2, 4, 48, 32)"
    assert off.cells[0].kind == "different"
    assert picky.cells == [Cell(case="causal", kind="not asked", note="no causality")]
    assert absent.missing == "needs no_such_package_9 (not installed); install with: pip install absent"
    assert absent.cells == []

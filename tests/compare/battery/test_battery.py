"""Tests of the battery: a contract for both registries, and faulty kernels that it must detect."""

from pathlib import Path

import numpy as np
import pytest

from compare.battery.cases import CASES, cases_named, make_inputs
from compare.battery.judging import Weigher
from compare.battery.kernels.registry import BUILT_IN, KernelSpec, kernels_named
from compare.battery.result import Battery, Cell
from compare.battery.runner import run_battery
from compare.battery.text import findings, lines, listing, tables
from compare.battery.unsupported import Unsupported
from compare.results.verdicts import reaches
from export.errors import BadInput
from tests.helpers import planted_kernels
from tests.helpers.planted_kernels import planted


def run(*kernels: KernelSpec, cases=("plain", "soft-cap", "causal"), **options) -> Battery:
    return run_battery(kernels, cases_named(cases), **{"node_cases": False, "threads": 1, **options})


@pytest.fixture(scope="module")
def weighers():
    """A function that returns the weigher of a case by name, made once."""
    made: dict[str, Weigher] = {}

    def of(name: str) -> Weigher:
        if name not in made:
            made[name] = Weigher(make_inputs(name))
        return made[name]

    return of


@pytest.mark.parametrize("name", CASES)
def test_every_case_makes_what_it_states(name: str) -> None:
    inputs, again, other = make_inputs(name), make_inputs(name), make_inputs(name, seed=1)
    batch, heads, queries, size = inputs.query.shape
    key_heads, keys = inputs.key.shape[1:3]
    assert heads % key_heads == 0
    assert inputs.key.shape == (batch, key_heads, keys, size)
    assert inputs.value.shape[:3] == (batch, key_heads, keys)
    for array, same in zip(
        (inputs.query, inputs.key, inputs.value), (again.query, again.key, again.value), strict=True
    ):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
        np.testing.assert_array_equal(array, same)
    assert not np.array_equal(inputs.value, other.value)
    if inputs.mask is not None:
        assert inputs.mask.dtype in (np.dtype(bool), np.dtype(np.float32))
        assert np.broadcast_shapes(inputs.mask.shape, (batch, heads, queries, keys)) == (batch, heads, queries, keys)
        np.testing.assert_array_equal(inputs.mask, again.mask)
    assert CASES[name].summary


def test_the_hard_cases_are_hard(weighers) -> None:
    """The inputs of a case have the property that its summary states."""
    assert weighers("masked-rows").empty.sum() == weighers("inf-mask").empty.sum() == 3 * 2 * 4
    assert weighers("nan-mask").nan.sum() == 2 * 4
    assert not weighers("lowest-mask").empty.any()
    golden = weighers("one-hot").scale.golden
    values = make_inputs("one-hot").value
    assert all(np.isin(golden[b, h], values[b, h]).all() for b in range(2) for h in range(4))
    tiny = np.finfo(np.float32).tiny
    assert np.abs(make_inputs("subnormals").value).max() < tiny
    assert np.exp(make_inputs("faint-weights").mask[:, 1:].max() + 1) < tiny
    assert np.abs(weighers("cancellation").scale.golden).max() < 2


@pytest.mark.parametrize("spec", BUILT_IN, ids=lambda spec: spec.name)
def test_every_kernel_is_rounding_on_what_is_not_hard(spec: KernelSpec, weighers) -> None:
    assert spec.summary
    assert spec.install
    if missing := spec.missing():
        pytest.skip(f"{', '.join(missing)} not installed")
    kernel = spec.load()(threads=1)
    for name in ("plain", "causal", "chunk", "own-scale", "one-token", "primes"):
        context = kernel.attend(make_inputs(name))
        assert context.dtype == np.float32
        assert weighers(name).weigh(context).kind == "rounding", name


def test_a_kernel_says_what_it_does_not_offer() -> None:
    offered = {"onnxruntime-mha": ("soft-cap", "grouped"), "torch-math": ("soft-cap",), "torch-flash": ("wide-values",)}
    words = {"soft-cap": "no soft cap", "grouped": "no grouped heads", "wide-values": "no wider values"}
    for spec in kernels_named(offered):
        for case in offered[spec.name]:
            with pytest.raises(Unsupported, match=f"^{words[case]}$"):
                spec.load()(threads=1).attend(make_inputs(case))


def test_torch_flash_does_not_pass_off_another_kernel_as_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from compare.battery.kernels import torch_attention

    monkeypatch.setattr(torch_attention.Flash, "backend", torch_attention.Math.backend)
    with pytest.raises(RuntimeError, match=r"^torch did not use its flash kernel but .*aten\.bmm"):
        torch_attention.Flash(threads=1).attend(make_inputs("plain"))


#: Cases in which a scale that is off by 1 % changes nothing: one key has all the weight, or scores are nearly 0.
BLIND_TO_SCALE = {"one-token", "one-hot"}


@pytest.mark.parametrize("case", [name for name in CASES if name != "long"])
def test_a_scale_off_by_one_percent_is_different_everywhere(case: str, weighers) -> None:
    found = weighers(case).weigh(planted_kernels.ScaleOff(threads=1).attend(make_inputs(case)))
    assert (found.kind == "rounding") == (case in BLIND_TO_SCALE), found
    assert found.kind in ("rounding", "different")


#: Cases with a mask or causality; if there is only one key, a shift cannot hide it.
MASKED = [
    name
    for name in CASES
    if name not in ("long", "one-token") and (make_inputs(name).causal or make_inputs(name).mask is not None)
]


@pytest.mark.parametrize("case", MASKED)
def test_a_shifted_mask_is_different_everywhere(case: str, weighers) -> None:
    found = weighers(case).weigh(planted_kernels.MaskShifted(threads=1).attend(make_inputs(case)))
    assert reaches(found.kind, "different")


def test_rows_that_see_no_key_are_looked_at_by_themselves(weighers) -> None:
    context = planted_kernels.Uniform(threads=1).attend(make_inputs("masked-rows"))
    found = weighers("masked-rows").weigh(context)
    assert (found.kind, found.where) == ("different", "rows of no key")
    assert found.note.startswith(
        "the mean of all values in 24 of 24 rows that see no key, expected zeros; the rest is rounding 0."
    )
    context[0, 0, 0] = np.nan
    assert weighers("masked-rows").weigh(context).kind == "broken"
    context[0, 0, 1] = np.nan
    note = "NaN in 1 of 384 rows where golden has none"
    assert (weighers("masked-rows").weigh(context).where, weighers("masked-rows").weigh(context).note) == ("NaN", note)


def test_nan_belongs_where_the_mask_has_it(weighers) -> None:
    inputs = make_inputs("nan-mask")
    lost = weighers("nan-mask").weigh(planted_kernels.Uniform(threads=1).attend(inputs))
    assert (lost.kind, lost.where) == ("different", "NaN is lost")
    assert lost.note.startswith("numbers in 8 of 8 rows that must be NaN, because their mask is; the rest is rounding")
    spread = weighers("nan-mask").weigh(planted_kernels.NanEverywhere(threads=1).attend(inputs))
    assert (spread.kind, spread.note) == ("broken", "NaN in 376 of 384 rows where golden has none")


def test_a_difference_is_said_with_its_place_and_numbers(weighers) -> None:
    context = weighers("plain").scale.golden.copy()
    context[1, 2, 3] = 0
    found = weighers("plain").weigh(context)
    assert found.kind == "different"
    assert found.note.startswith("its row is zeros, 0 where golden has ")
    assert "at [1, 2, 3, " in found.note
    assert weighers("plain").weigh(context[..., 1:]).note == "gives shape (2, 4, 48, 31), expected (2, 4, 48, 32)"
    context[1, 2, 3] = np.inf
    assert weighers("plain").weigh(context).kind == "different"


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


def test_a_kernel_that_is_lost_again_and_again_is_not_asked_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compare.battery.runner.MOST_LOST", 1)
    (kernel,) = run(planted(planted_kernels.Crashes), cases=("soft-cap", "plain")).kernels
    assert [cell.note for cell in kernel.cells] == [
        "killed by SIGSEGV", "not run, because 1 earlier cases ended the process, the last with: killed by SIGSEGV"
    ]  # fmt: skip


def test_what_a_kernel_raises_gives_or_lacks_is_in_its_cells() -> None:
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


def battery(*cells: Cell, **kernel) -> Battery:
    return Battery.model_validate(
        {
            "seed": 0, "threads": 1, "commit": None, "processor": "", "versions": {}, "seconds": 1.0,
            "cases": [{"name": cell.case, "summary": "", "controls": 1, "distinct": 1} for cell in cells],
            "kernels": [{"name": "k", "summary": "", "cells": list(cells), **kernel}],
        }
    )  # fmt: skip


def test_the_table_and_what_is_said_below_it() -> None:
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


def test_a_kernel_asked_for_by_name_that_is_missing_is_3() -> None:
    missing = {"missing": "needs x (not installed); install with: pip install x", "cells": []}
    assert battery(named=True, **missing).exit_code() == 3
    assert battery(named=False, **missing).exit_code() == 0
    assert findings(battery(**missing)) == ["k needs x (not installed); install with: pip install x"]


def test_unknown_names_have_near_matches() -> None:
    with pytest.raises(BadInput, match=r"^unknown kernel 'torch-mat'; did you mean torch-math"):
        kernels_named(["torch-mat"])
    with pytest.raises(BadInput, match=r"^unknown case 'soft-cop'; did you mean soft-cap\?"):
        cases_named(["soft-cop"])


def test_the_list_says_what_installs_the_missing() -> None:
    first, second = listing([planted_kernels.ABSENT], cases_named(["plain"]))
    assert first == "kernel  absent  missing no_such_package_9: pip install absent  not installed"
    assert second.startswith("case    plain ")


def test_the_page_names_every_case_and_kernel() -> None:
    page = (Path(__file__).parents[3] / "docs" / "battery.md").read_text()
    for case in CASES.values():
        assert f"| `{case.name}` | {case.summary} |" in page
    assert all(spec.name in page for spec in BUILT_IN)

"""The battery's judgement of faulty kernels: the verdict, and its note with place and numbers."""

import numpy as np
import pytest

from compare.battery.cases import CASES, make_inputs
from compare.results.verdicts import reaches
from tests.helpers import planted_kernels

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


def test_rows_that_see_no_key_are_judged_separately(weighers) -> None:
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


def test_nan_is_expected_only_where_the_mask_has_nan(weighers) -> None:
    inputs = make_inputs("nan-mask")
    lost = weighers("nan-mask").weigh(planted_kernels.Uniform(threads=1).attend(inputs))
    assert (lost.kind, lost.where) == ("different", "NaN is lost")
    assert lost.note.startswith("numbers in 8 of 8 rows that must be NaN, because their mask is; the rest is rounding")
    spread = weighers("nan-mask").weigh(planted_kernels.NanEverywhere(threads=1).attend(inputs))
    assert (spread.kind, spread.note) == ("broken", "NaN in 376 of 384 rows where golden has none")


def test_the_note_on_a_difference_gives_its_place_and_numbers(weighers) -> None:
    context = weighers("plain").scale.golden.copy()
    context[1, 2, 3] = 0
    found = weighers("plain").weigh(context)
    assert found.kind == "different"
    assert found.note.startswith("its row is zeros, 0 where golden has ")
    assert "at [1, 2, 3, " in found.note
    assert weighers("plain").weigh(context[..., 1:]).note == "gives shape (2, 4, 48, 31), expected (2, 4, 48, 32)"
    context[1, 2, 3] = np.inf
    assert weighers("plain").weigh(context).kind == "different"

"""Tests of rerun variants: their inputs, and which logits are compared."""

from types import SimpleNamespace

import numpy as np
import pytest

from compare.numerics.diagnostics.rerun_variants import make_variants, output_gap
from compare.pipeline.recheck_stage import rerun
from tests.helpers.series import series_of


@pytest.fixture
def two() -> tuple[np.ndarray, np.ndarray]:
    """A batch of two sequences, the first with two positions of padding."""
    ids = np.arange(10).reshape(2, 5)
    return ids, np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])


def test_every_variant_begins_with_the_same_sequence(two) -> None:
    ids, mask = two
    for given in ((ids, mask), (ids[:1], mask[:1])):
        for variant in make_variants(*given, threads=2):
            length = min(5, variant.input_ids.shape[1])
            assert np.array_equal(variant.input_ids[0, :length], ids[0, :length])
            assert np.array_equal(variant.attention_mask[0, :length], mask[0, :length])
            assert not variant.attention_mask[:, 5:].any()
            assert variant.input_ids.shape == variant.attention_mask.shape


def test_a_single_sequence_gets_a_batch_and_a_batch_becomes_single(two) -> None:
    ids, mask = two
    assert {r.name: len(r.input_ids) for r in make_variants(ids, mask, threads=2)}["batch of 1"] == 1
    company = next(r for r in make_variants(ids[:1], mask[:1], threads=2) if r.name == "batch of 4").input_ids
    assert len({tuple(row) for row in company}) == 4


def test_the_other_number_of_threads_is_another(two) -> None:
    assert {(t, list(make_variants(*two, threads=t))[-1].threads) for t in (1, 2, 8)} == {(1, 2), (2, 1), (8, 1)}


def test_a_variant_that_the_model_has_no_room_for_is_not_run() -> None:
    ids = np.zeros((1, 60), dtype=int)
    variants = [
        variant for variant in make_variants(ids, np.ones_like(ids), threads=1) if variant.name == "8 of padding"
    ]
    series = series_of("onnxruntime")  # it cannot be asked for a variant
    row = rerun(SimpleNamespace(positions=64), series, variants)  # type: ignore[arg-type]
    assert (row.missing, row.gaps) == ({"8 of padding": "it needs 68 positions, but the model has only 64"}, {})


def test_padding_does_not_count_nor_what_one_run_has_alone(two) -> None:
    _, mask = two
    plain = np.zeros((2, 5, 3))
    other = np.full((1, 13, 3), 9.0)
    other[0, :3] = 0.25
    assert output_gap(plain, other, mask) == 0.25
    assert output_gap(plain, other[:, :2], mask) == 0.25


def test_a_nan_in_one_run_is_a_gap_and_in_both_is_none() -> None:
    plain, other = np.zeros((2, 1, 2, 3))
    plain[0, 1, 2] = np.nan
    mask = np.ones((1, 2), dtype=int)
    assert np.isnan(output_gap(plain, other, mask))
    other[0, 1, 2] = np.nan
    assert output_gap(plain, other, mask) == 0

"""Test that embeddings are pooled as sentence-transformers does, and that changes of cosines are measured."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.numerics.diagnostics.embeddings import States, embedding_changes, embeddings

STATES = np.array([[[1.0, 4.0], [3.0, 0.0], [9.0, 9.0]], [[9.0, 9.0], [2.0, 2.0], [0.0, 6.0]]])
MASK = np.array([[1, 1, 0], [0, 1, 1]])


@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        (["mean"], [[2.0, 2.0], [1.0, 4.0]]),
        (["mean_sqrt_len_tokens"], [[4.0, 4.0], [2.0, 8.0]]),
        (["cls"], [[1.0, 4.0], [2.0, 2.0]]),
        (["lasttoken"], [[3.0, 0.0], [0.0, 6.0]]),
        (["max"], [[3.0, 4.0], [2.0, 6.0]]),
        (["weightedmean"], [[7.0, 4.0], [2.0, 14.0]]),
        (["cls", "mean"], [[1.0, 4.0, 2.0, 2.0], [2.0, 2.0, 1.0, 4.0]]),
    ],
)
def test_padding_is_left_out_and_the_result_is_normalized(modes, expected) -> None:
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(embeddings(STATES, MASK, modes), np.array(expected) / lengths, rtol=1e-15)


def texts(run, golden, rounding: float = 0.0):
    """Compare embeddings that are given as such: texts of one position."""
    run, golden = (np.array(x, np.float64)[:, None] for x in (run, golden))
    return embedding_changes([States(run, golden, np.ones(run.shape[:2]))], ["mean"], rounding=rounding)


def test_equal_embeddings_do_not_change() -> None:
    found = texts(np.eye(3), np.eye(3))
    assert found is not None
    assert (found.texts, found.cosine, found.distance, found.flips, found.real_flips) == (3, 0.0, 0.0, 0, 0)


def test_one_text_has_no_cosine() -> None:
    assert texts([[1.0, 0.0]], [[1.0, 0.0]]) is None


def test_texts_of_several_inputs_are_compared_with_each_other() -> None:
    states = States(STATES, STATES, MASK)
    found = embedding_changes([states, states], ["mean"], rounding=0.0)
    assert found is not None
    assert found.texts == 4


def test_a_flip_is_real_only_beyond_what_rounding_can_change() -> None:
    """The neighbour of the first text is the second by 0.01, and the third in the run."""
    near, far = (np.array([cosine, np.sqrt(1 - cosine**2)]) for cosine in (0.80, 0.79))
    golden, run = np.stack([[1.0, 0.0], near, far]), np.stack([[1.0, 0.0], far, near])
    real, excused = (texts(run, golden, rounding) for rounding in (1e-6, 1e-2))
    assert real is not None
    assert excused is not None
    assert (real.flips, real.real_flips) == (1, 1)
    assert (excused.flips, excused.real_flips) == (1, 0)
    assert real.cosine == pytest.approx(0.01)
    assert 0 in real.pair


def test_a_nan_is_not_hidden() -> None:
    found = texts([[1.0, 0.0], [np.nan, 1.0]], np.eye(2))
    assert found is not None
    assert np.isnan(found.cosine)
    assert np.isnan(found.distance)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["mean", "cls", "max", "weightedmean", "mean_sqrt_len_tokens"]))
def test_no_error_within_rounding_is_a_real_flip(seed: int, mode: str) -> None:
    random = np.random.default_rng(seed)
    golden, mask = random.standard_normal((5, 4, 3)), np.tri(5, 4, dtype=int)[::-1].clip([1, 0, 0, 0])
    rounding = 10.0 ** random.uniform(-6, 0)
    run = golden + random.uniform(-rounding, rounding, golden.shape)
    found = embedding_changes([States(run, golden, mask)], [mode], rounding=rounding)
    assert found is not None
    assert found.real_flips == 0

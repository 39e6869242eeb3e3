"""Test that each statistic detects the faults for which it exists, and that floors are errors of rounding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.numerics import blocks
from compare.numerics.errors import error_of, ulps_of
from compare.numerics.floors import floor_of, multiples_of
from compare.results.gaps import Multiples
from compare.results.precisions import UNIT_ROUNDOFF

MASK = np.ones((1, 20), dtype=np.int64)


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((1, 20, 8))


def noise(truth: np.ndarray, seed: int, size: float = 1e-7) -> np.ndarray:
    return truth + size * np.random.default_rng(seed).standard_normal(truth.shape)


@pytest.fixture
def floor(truth: np.ndarray):
    return floor_of([error_of("hidden_state.0", noise(truth, seed), truth, MASK) for seed in range(1, 9)])


def test_statistics_by_hand() -> None:
    truth = np.zeros((1, 20, 2))
    truth[..., 0] = 2.0
    found = truth.copy()
    found[0, 3, 0] += 0.5
    error = error_of("logits", found, truth, MASK)
    assert error.max == [0.5]
    assert error.place == (0, 3, 0)
    assert error.rms == pytest.approx([0.5 / np.sqrt(40)])
    assert error.slope == pytest.approx([0.5 * 2 / (20 * 4)])
    assert error.channels == pytest.approx([0.5 / np.sqrt(20), 0])
    assert error.size == pytest.approx([np.sqrt(2)])


def test_attention_is_taken_by_head_and_below_the_diagonal() -> None:
    truth = np.tile(np.tril(np.full((20, 20), 0.1)), (1, 2, 1, 1))
    found = truth.copy()
    found[0, 1, 5, 2] += 0.25
    found[0, 0, 5, 9] = 0.125  # above the diagonal: no error of a probability, but one of the mask
    error = error_of("attention.0", found, truth, MASK)
    assert error.max == pytest.approx([0.0, 0.25])
    assert error.place == (0, 1, 5, 2)
    assert error.above == 0.125
    assert error.rms == pytest.approx([0, 0.25 / np.sqrt(210)])


def test_a_probability_on_padding_is_an_error_of_the_mask() -> None:
    truth = np.tile(np.tril(np.full((20, 20), 0.1)), (1, 1, 1, 1))
    mask = MASK.copy()
    mask[0, :3] = 0
    truth[..., :3] = 0
    found = truth.copy()
    found[0, 0, 1, 0] = 0.5  # a padding query
    found[0, 0, 7, 2] = 0.25
    error = error_of("attention.0", found, truth, mask)
    assert (error.padding, error.above, error.max.tolist()) == (0.25, 0.0, [0.0])
    assert error_of("attention.0", found, truth, mask, keys=MASK).padding == 0


def test_what_is_given_stays_as_it_is(truth: np.ndarray) -> None:
    for array in (found := noise(truth, 1), truth):
        array.flags.writeable = False
    assert error_of("logits", found, truth, MASK).max > 0


def test_blocks_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a tensor position by position, with padding in between, gives the same result as reading it at once."""
    random = np.random.default_rng(3)
    mask = random.integers(0, 2, (2, 20))
    for name, shape in (("attention.0", (2, 3, 20, 20)), ("query.1", (2, 3, 20, 4)), ("logits", (2, 20, 5))):
        truth = np.tril(random.random(shape)) if name == "attention.0" else random.standard_normal(shape)
        found = noise(truth, 4)
        monkeypatch.setattr(blocks, "SIZE", 2**18)
        whole = error_of(name, found, truth, mask)
        monkeypatch.setattr(blocks, "SIZE", 1)
        for field, parts in vars(error_of(name, found, truth, mask)).items():
            np.testing.assert_allclose(parts, getattr(whole, field), rtol=1e-13, err_msg=field)
        assert abs(found - truth)[whole.place] == whole.max.max()


def test_padding_is_left_out() -> None:
    truth = np.zeros((2, 4, 3))
    found = truth.copy()
    found[1, 3] = 7.0
    found[1, 1, 2] = 0.5
    mask = np.array([[1, 1, 1, 1], [1, 1, 1, 0]])
    error = error_of("mid_state.0", found, truth, mask)
    assert error.max == [0.5]
    assert error.place == (1, 1, 2)


def test_one_more_run_of_the_same_noise_is_about_one_floor(truth: np.ndarray, floor) -> None:
    found = multiples_of(error_of("hidden_state.0", noise(truth, 99), truth, MASK), floor)
    assert 0.5 < found.rms < 1.5
    assert found.beyond(Multiples(rms=2, max=4, channel=6, slope=8)) == {}


@pytest.mark.parametrize(
    ("statistic", "change"),
    [
        ("max", lambda x: _at(x, (0, 7, 3), 3e-6)),
        ("slope", lambda x: x * (1 + 1.5e-7)),
        ("rms", lambda x: noise(x, 5, 4e-7)),
    ],
)
def test_each_statistic_finds_its_kind_of_error(truth: np.ndarray, floor, statistic: str, change) -> None:
    found = multiples_of(error_of("hidden_state.0", change(noise(truth, 99)), truth, MASK), floor)
    assert statistic in found.beyond(Multiples(rms=2, max=4, channel=6, slope=8))


def test_the_worst_channel_finds_what_outlier_channels_hide(truth: np.ndarray) -> None:
    """Channel 0 and its noise are a thousand times larger, so the other statistics miss an error in channel 5."""
    scale = np.array([1000.0, *[1.0] * 7])
    controls = [
        error_of("mid_state.0", truth * scale + (noise(truth, s) - truth) * scale, truth * scale, MASK)
        for s in range(8)
    ]
    floors = floor_of(controls)
    found = truth * scale + (noise(truth, 99) - truth) * scale
    found[..., 5] += 5e-5
    multiples = multiples_of(error_of("mid_state.0", found, truth * scale, MASK), floors)
    assert multiples.rms < 2
    assert multiples.max < 4
    assert multiples.channel > 6


def test_few_positions_have_no_channels() -> None:
    x = np.ones((1, 15, 4))
    assert error_of("logits", x, x, MASK[:, :15]).channels.size == 0
    assert error_of("logits", np.ones((1, 16, 4)), np.ones((1, 16, 4)), MASK[:, :16]).channels.size == 4


def test_what_every_control_reaches_exactly_must_be_reached_exactly(truth: np.ndarray) -> None:
    floors = floor_of([error_of("hidden_state.0", truth, truth, MASK)] * 5)
    assert multiples_of(error_of("hidden_state.0", truth, truth, MASK), floors) == Multiples(
        rms=0, max=0, channel=0, slope=0
    )
    assert multiples_of(error_of("hidden_state.0", _at(truth, (0, 0, 0), 1e-15), truth, MASK), floors).max == np.inf


def test_a_floor_is_at_least_a_quarter_of_the_unit_roundoff(truth: np.ndarray) -> None:
    floors = floor_of([error_of("hidden_state.0", _at(truth, (0, 0, 0), 1e-15), truth, MASK)] * 5)
    size = np.sqrt(np.mean(truth**2))
    assert floors.rms == pytest.approx(UNIT_ROUNDOFF / 4 * size)
    assert floors.max == pytest.approx(UNIT_ROUNDOFF / 4 * np.abs(truth).max())


def test_nan_is_marked_and_never_within_a_limit(truth: np.ndarray, floor) -> None:
    error = error_of("hidden_state.0", _at(truth, (0, 2, 1), np.nan), truth, MASK)
    assert error.nan
    assert error.place == (0, 2, 1)
    assert multiples_of(error, floor).beyond(Multiples(rms=2, max=4, channel=6, slope=8))


def test_nan_that_the_reference_has_too_is_no_fault(truth: np.ndarray) -> None:
    assert not error_of("hidden_state.0", truth, truth, MASK).nan
    both = _at(truth, (0, 2, 1), np.nan)
    assert not error_of("hidden_state.0", both, both, MASK).nan


def _at(x: np.ndarray, place: tuple[int, ...], by: float) -> np.ndarray:
    changed = x.copy()
    changed[place] += by
    return changed


@given(power=st.integers(-20, 20), units=st.integers(1, 1000))
def test_units_in_the_last_place_are_those_of_float32(power: int, units: int) -> None:
    reference = np.full((1, 3, 5), 1.5 * 2.0**power)
    actual = reference + units * 2.0 ** (power - 23)
    for found in ulps_of("logits", actual, reference, np.ones((1, 3), dtype=np.int64)):
        assert found == pytest.approx(units, rel=0.017)


def test_units_of_probabilities_count_what_is_seen_alone() -> None:
    reference = np.tril(np.full((1, 1, 4, 4), 0.25))
    actual = np.where(reference > 0, reference, 1.0)
    assert ulps_of("attention.0", actual, reference, np.ones((1, 4), dtype=np.int64)) == (0.0, 0.0, 0.0)

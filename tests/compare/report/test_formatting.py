"""Test how numbers and ratios are formatted."""

import pytest

from compare.report import formatting
from compare.results.latency import Ratio


@pytest.mark.parametrize(("spread", "text"), [(0.014, "1.4 %"), (0.12, "12.0 % !"), (0.3, "30.0 % !!"), (None, "–")])
def test_spread_is_flagged(spread: float | None, text: str) -> None:
    assert formatting.spread(spread) == text


@pytest.mark.parametrize(("ratio", "words"), [((0.5, 0.4, 0.6), "2 x as fast"), ((1.25, 1.2, 1.3), "1.25 x as long")])
def test_a_ratio_whose_interval_excludes_one(ratio: tuple[float, float, float], words: str) -> None:
    estimate, low, high = ratio
    assert formatting.ratio_words(Ratio(estimate=estimate, low=low, high=high)) == words

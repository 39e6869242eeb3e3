"""Test that texts fit, and that labels do not overlap."""

from itertools import combinations, pairwise

import hypothesis.strategies as st
from hypothesis import given

from compare.report.render.plots.labels import around, spread
from compare.report.render.plots.style import TITLE, WIDTH, Page
from compare.report.render.plots.text import drawable, shortened, width_of, wrapped
from compare.report.schema import Report
from tests.helpers.figures import title


def test_a_text_is_cut_to_its_room() -> None:
    assert shortened("torch-eager", 8, 5.0) == "torch-eager"
    cut = shortened("torch-eager with a very long name", 8, 1.0)
    assert cut.endswith("…")
    assert width_of(cut, 8) <= 1.0
    assert not shortened(drawable("a$" * 20), 8, 0.3).rstrip("…").endswith("\\")


def test_lines_are_no_wider_than_asked() -> None:
    words = "Same model: 4 of 5 runtimes. my.onnx differs from layer 2, attention on."
    lines = wrapped(words, 10, 2.0)
    assert " ".join(lines) == words
    assert all(width_of(line, 10) <= 2.0 for line in lines)


@given(st.text())
def test_every_drawable_text_has_a_width_and_draws_itself(text: str) -> None:
    shown = drawable(text)
    assert width_of(shown, 8) >= 0
    assert drawable(shown.replace("\\$", "$")) == shown


@given(st.lists(st.floats(-1, 4), max_size=30))
def test_spread_labels_keep_their_order_and_their_distance(wanted: list[float]) -> None:
    placed = spread(wanted, 0.1, 0.0, 3.0)
    assert all(-1e-9 <= height <= 3.0 + 1e-9 for height in placed)
    heights = sorted(placed)
    assert all(after - before >= 0.1 - 1e-9 for before, after in pairwise(heights))
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], placed[i]))
    assert [placed[i] for i in order] == heights


@given(st.lists(st.tuples(st.floats(0, 6), st.floats(0, 4)), max_size=10))
def test_labels_around_points_do_not_overlap(points: list[tuple[float, float]]) -> None:
    size = (0.9, 0.15)
    corners = around(points, [size] * len(points), (6.0, 4.0))
    for (left, bottom), (other_left, other_bottom) in combinations(corners, 2):
        apart = abs(left - other_left) >= size[0] - 1e-5 or abs(bottom - other_bottom) >= size[1] - 1e-5
        assert apart


def test_a_title_is_whole_sentences_that_fit(report: Report) -> None:
    sentences = ["One runtime is the same model as golden in everything that was measured."] * 9
    page = Page(report, sentences, 1.0)
    shown = title(page.figure)
    assert shown == " ".join(sentences[:3])
    assert max(width_of(text.get_text(), TITLE, "bold") for text in page.figure.texts[:3]) <= WIDTH
    assert title(Page(report, ["word " * 200], 1.0).figure).endswith("…")

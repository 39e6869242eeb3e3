"""Tests of parsing the grid, and of the inputs of its shapes."""

from pathlib import Path

import pytest

from compare.pipeline.prepare import grid_inputs
from compare.pipeline.setting_checks import check_settings
from compare.pipeline.settings import Settings
from compare.pipeline.shapes import Shape, shapes_of
from export.errors import BadInput


@pytest.mark.parametrize(
    ("words", "shapes"),
    [
        ("32x1", [Shape(32, 1)]),
        (" 32, 8 x 4,1 ", [Shape(32, 4), Shape(8, 4), Shape(32, 1), Shape(8, 1)]),
        ("8,8x2,2", [Shape(8, 2)]),
    ],
)
def test_words_of_a_grid(words: str, shapes: list[Shape]) -> None:
    assert shapes_of(words) == shapes
    check_settings(Settings.of(grid=words))


@pytest.mark.parametrize("words", ["", "32", "x", "32x", "x4", "8x1x2", "8,x1", "0x1", "8x0", "-8x1", "8.5x1", "8*1"])
def test_other_words_are_no_grid(words: str) -> None:
    with pytest.raises(BadInput) as raised:
        check_settings(Settings.of(grid=words))
    form = "it must be SEQUENCESxBATCHES, numbers of at least 1 separated by commas, as in 32,128x1,4"
    assert str(raised.value) == f"grid is {words!r}; {form}"


def test_a_grid_takes_a_model() -> None:
    with pytest.raises(BadInput, match="grid needs a model, whose tokenizer makes the inputs"):
        check_settings(Settings.of(grid="8x1", onnx=Path("a.onnx"), baseline=Path("b.onnx")))


def test_inputs_of_every_shape(entry) -> None:
    found = grid_inputs(entry, "8,16x1,3", "To be, or not to be.")
    assert {shape: inputs.input_ids.shape for shape, inputs in found.items()} == {
        Shape(sequence, batch): (batch, sequence) for batch in (1, 3) for sequence in (8, 16)
    }
    assert grid_inputs(entry, None, None) == {}


@pytest.mark.parametrize(
    ("grid", "text", "message"),
    [
        ("8,65x1", None, "grid asks for 65 tokens, but the model has 64 positions; it must be 1 to 64"),
        ("8x1", "four", "grid asks for 8 tokens, but the text has 4; ask for 1 to 4, or give a longer text"),
    ],
)
def test_a_sequence_that_is_too_long(entry, grid: str, text: str | None, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        grid_inputs(entry, grid, text)

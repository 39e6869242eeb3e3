"""Tables in the width of a console: no cell is broken, and what has no room is named."""

import io

import pytest
from rich.console import Console

from compare.report.formatting import Table
from compare.report.render.layout import blocks, fit
from compare.report.render.tables import print_table

WIDE = Table(
    "A wide table",
    ["runtime", "same model?", "prefill ms", "vs torch-eager", "MB"],
    [
        ["torch-reference", "yes", "110", "no difference", "1,835"],
        ["onnx-file", "NO: layer 2, attention, 4,100 x", "", "", ""],
    ],
    "Its notes.",
)


@pytest.mark.parametrize("width", range(12, 90, 3))
def test_every_cell_that_is_shown_is_whole(width: int) -> None:
    fitted = fit(WIDE, width)
    lines = [line.plain for line in fitted.lines]
    assert max(map(len, lines)) <= width
    shown = len(WIDE.columns) - len(fitted.left_out)
    assert fitted.left_out == WIDE.columns[shown:]
    first, second = lines[-2:]
    assert all(cell in first for cell in WIDE.rows[0][1:shown])
    assert not any(cell in first for cell in WIDE.rows[0][shown:])
    assert first.startswith("torch-r")
    assert ("…" in second) == (WIDE.rows[1][1] not in second)


def test_a_wide_terminal_has_one_line_of_headings_and_room() -> None:
    assert [line.plain for line in fit(WIDE, 90).lines] == [
        "runtime          same model?  prefill ms  vs torch-eager     MB",
        "torch-reference  yes                 110   no difference  1,835",
        "onnx-file        NO: layer 2, attention, 4,100 x",
    ]


def test_headings_wrap_before_columns_come_closer() -> None:
    assert [line.plain for line in fit(WIDE, 55).lines][:3] == [
        "                 same    prefill             vs",
        "runtime          model?       ms    torch-eager     MB",
        "torch-reference  yes         110  no difference  1,835",
    ]
    assert fit(WIDE, 50).lines[2].plain == "torch-reference yes        110 no difference 1,835"


def test_what_extends_is_cut_at_the_width() -> None:
    assert fit(WIDE, 40).lines[-1].plain.endswith("…")


@pytest.mark.parametrize("width", [30, 50, 80])
def test_a_full_table_is_split_into_blocks_that_repeat_the_first_column(width: int) -> None:
    columns = ["runtime", *(f"column {n}" for n in range(12))]
    table = Table("Many columns", columns, [["torch-eager", *(f"{n}.0e-06" for n in range(10, 22))]], "Its notes.")
    split = blocks(table, width)
    assert [column for block, _ in split for column in block.columns[1:]] == columns[1:]
    assert all(block.columns[0] == "runtime" and block.rows[0][0] == "torch-eager" for block, _ in split)
    assert [block.title for block, _ in split] == ["Many columns", *[""] * (len(split) - 1)]
    console = Console(file=io.StringIO(), width=width)
    print_table(table, console)
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    assert max(map(len, printed.splitlines())) <= width
    assert all(cell in printed for cell in table.rows[0])
    assert printed.count("Its notes.") == printed.count("Many columns") == 1


def test_a_table_that_fits_is_not_split() -> None:
    assert [block for block, _ in blocks(WIDE, 140)] == [WIDE]

"""Text on a console. Full tables are as wide as the console, and in several blocks if they are wider."""

from collections.abc import Sequence
from functools import partial

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from compare.report.formatting import Table
from compare.report.render.layout import blocks, style_of
from export.printing import printable


def stdout() -> Console:
    """Return the console on stdout. It has colours only on a terminal, and 80 columns where there is neither one nor
    `COLUMNS`."""
    return Console(highlight=False, markup=False, emoji=False)


def print_text(text: str, console: Console, style: str = "") -> None:
    """Print a paragraph, which is wrapped, to a console. style: of rich."""
    console.print(Text(printable(text, console.encoding), style=style))


def print_table(table: Table, console: Console | None = None) -> None:
    """Print a table with its title and notes to stdout, or to the console given."""
    console = console or stdout()
    table = table.mapped(partial(printable, encoding=console.encoding))
    for place, (block, widths) in enumerate(blocks(table, console.width)):
        if place:
            console.print()
        else:
            console.print(Text(block.title, style="bold"))
        console.print(_rich_table(block, widths))
        if block.notes:
            console.print(Text(block.notes, style="dim"))


def _rich_table(table: Table, widths: Sequence[int]) -> RichTable:
    shown = RichTable(box=None, pad_edge=False)
    for place, (column, width) in enumerate(zip(table.columns, widths, strict=True)):
        shown.add_column(Text(column), justify="left" if place == 0 else "right", overflow="fold", width=width)
    for row in table.rows:
        shown.add_row(*(Text(cell, style=style_of(cell)) for cell in row))
    return shown

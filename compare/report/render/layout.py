"""How tables are laid out in the width of a console: headings wrap, and cells never break."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from compare.report.formatting import NOT_MEASURABLE, Table

#: A name is shortened if it is longer than this share of the width.
_LONGEST_NAME = 0.4


@dataclass(frozen=True)
class Fitted:
    """A table laid out in lines."""

    #: The lines of the heading, then one for each row.
    lines: list[Text]
    #: The headings of the columns that the width had no room for.
    left_out: list[str]


def fit(table: Table, width: int) -> Fitted:
    """Lay a table out in lines of at most `width` characters.

    The first two columns are left-aligned, the others right-aligned. A cell that is followed by empty cells only may
    extend over these. If the table is too wide, headings are wrapped first; then columns come closer; then names are
    shortened, and columns are left out, the last one first.
    """
    for gap, wrap in ((2, False), (2, True), (1, True)):
        columns = _columns(table, len(table.columns), wrap)
        if _total(columns, gap) <= width:
            return Fitted(_lines(table, columns, gap, width), [])
    shown = len(table.columns)
    while shown > 1:
        columns = _columns(table, shown, wrap=True, longest=max(8, int(_LONGEST_NAME * width)))
        if _total(columns, 1) <= width:
            break
        shown -= 1
    return Fitted(_lines(table, columns[:shown], 1, width), table.columns[shown:])


@dataclass(frozen=True)
class _Column:
    """The lines of a column's heading, and its width."""

    heading: list[str]
    width: int


def _columns(table: Table, count: int, wrap: bool, longest: int | None = None) -> list[_Column]:
    """Return the first `count` columns. longest: the largest width of the first one."""
    columns = []
    for at, heading in enumerate(table.columns[:count]):
        cells = [cell_len(row[at]) for row in table.rows if not extends(row, at)]
        words = heading.split() if wrap else [heading]
        width = max([*cells, *map(cell_len, words)], default=0)
        if at == 0 and longest is not None:
            width = min(width, longest)
        columns.append(_Column(_wrapped(words, width), width))
    return columns


def _wrapped(words: Sequence[str], width: int) -> list[str]:
    """Return words in lines of at most `width` characters."""
    lines: list[str] = []
    for word in words:
        if lines and cell_len(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def extends(row: Sequence[str], at: int) -> bool:
    """Whether a cell may extend over the cells after it, because all of them are empty."""
    return 0 < at < len(row) - 1 and not any(row[at + 1 :])


def _total(columns: Sequence[_Column], gap: int) -> int:
    return sum(column.width for column in columns) + gap * (len(columns) - 1)


def _lines(table: Table, columns: Sequence[_Column], gap: int, width: int) -> list[Text]:
    height = max((len(column.heading) for column in columns), default=0)
    headings = [[""] * (height - len(column.heading)) + column.heading for column in columns]
    lines = [_line([heading[at] for heading in headings], columns, gap, width, bold=True) for at in range(height)]
    return lines + [_line(row, columns, gap, width) for row in table.rows]


def _line(cells: Sequence[str], columns: Sequence[_Column], gap: int, width: int, bold: bool = False) -> Text:
    line = Text(no_wrap=True)
    for at, (cell, column) in enumerate(zip(cells, columns, strict=False)):
        room = width - cell_len(line.plain) if extends(cells, at) and not bold else column.width
        shown = cell if cell_len(cell) <= room else set_cell_size(cell, max(0, room - 1)) + "…"
        spaces = " " * max(0, room - cell_len(shown))
        if at > 1:
            line.append(spaces)
        line.append(shown, style="bold" if bold else style_of(cell))
        if extends(cells, at) and not bold:
            break
        if at <= 1:
            line.append(spaces)
        if at < len(columns) - 1:
            line.append(" " * gap)
    line.rstrip()
    return line


def style_of(cell: str) -> str:
    """Return the colour of a cell, which repeats what its words say."""
    if cell == "NaN" or cell.startswith(("NO", "broken", "failed", "different", "did not run", "wrong")):
        return "bold red"
    if cell.startswith(("unsteady", NOT_MEASURABLE)):
        return "bold yellow"
    return "green" if cell.startswith(("yes", "rounding", "identical")) or cell.endswith("as fast") else ""


def blocks(table: Table, width: int) -> list[tuple[Table, list[int]]]:
    """Split a table that is too wide into several, each with the first column, and return the widths of their columns.

    Headings are wrapped only if the table is split. A cell is at most as wide as the room after the first column.
    """
    whole = _widths(table, wrap=False)
    if sum(whole) + 2 * (len(whole) - 1) <= width:
        return [(table, whole)]
    widths = _widths(table, wrap=True)
    first = min(widths[0], max(8, int(_LONGEST_NAME * width)))
    room = max(8, width - first - 2)
    found: list[list[int]] = []
    taken = 0
    for at, wide in enumerate(widths[1:], start=1):
        needed = min(wide, room) + (2 if taken else 0)
        if not found or taken + needed > room:
            found.append([])
            taken, needed = 0, min(wide, room)
        found[-1].append(at)
        taken += needed
    last = len(found) - 1
    return [
        (
            Table(
                "" if place else table.title,
                [table.columns[at] for at in (0, *kept)],
                [[row[at] for at in (0, *kept)] for row in table.rows],
                table.notes if place == last else "",
            ),
            [first, *(min(widths[at], room) for at in kept)],
        )
        for place, kept in enumerate(found)
    ]


def _widths(table: Table, *, wrap: bool) -> list[int]:
    """Return the widths of the columns. wrap: whether headings may be wrapped between words."""
    return [
        max(map(cell_len, (*(heading.split() if wrap else [heading]), *(row[at] for row in table.rows))), default=0)
        for at, heading in enumerate(table.columns)
    ]

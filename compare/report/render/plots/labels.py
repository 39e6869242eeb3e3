"""Where labels go, so that they do not overlap: next to the ends of lines, and around points."""

from collections.abc import Iterator, Sequence
from itertools import product

#: A point, or the width and the height of a box, in inches.
Pair = tuple[float, float]

#: Half the side of a mark, in inches; labels do not cover it.
MARK = 0.05


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return heights between `low` and `high` that are at least `gap` apart, as near to the wanted ones as possible.

    They have the order of the wanted heights. If the room is too small for all, they are closer than `gap`.

    >>> spread([1.0, 5.0], 1.0, 0.0, 9.0), spread([2.0, 2.0, 2.0], 1.0, 0.0, 9.0), spread([9.0, 8.9], 1.0, 0.0, 9.0)
    ([1.0, 5.0], [1.0, 2.0, 3.0], [9.0, 8.0])
    """
    if not wanted:
        return []
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    groups: list[list[float]] = []  # of heights without the gaps below them: they must not decrease
    for step, i in enumerate(order):
        groups.append([wanted[i] - step * gap])
        while len(groups) > 1 and _mean(groups[-2]) > _mean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    flat = [_mean(group) for group in groups for _ in group]
    most = high - (len(wanted) - 1) * gap
    placed = [0.0] * len(wanted)
    for step, i in enumerate(order):
        placed[i] = min(max(flat[step], low), most) + step * gap
    return placed


def _mean(group: Sequence[float]) -> float:
    return sum(group) / len(group)


def around(points: Sequence[Pair], sizes: Sequence[Pair], room: Pair, others: Sequence[Pair] = ()) -> list[Pair]:
    """Return the lower left corner of a label for each point, all in inches.

    sizes: of the labels. room: the width and the height of the axes. others: further points that labels do not cover.
    A label is next to its point if there is room, and otherwise at the nearest place that is free.

    >>> around([(1.0, 1.0)], [(0.5, 0.2)], (3.0, 3.0))
    [(1.05, 1.05)]
    >>> around([(2.9, 1.0)], [(0.5, 0.2)], (3.0, 3.0))
    [(2.35, 1.05)]
    """
    taken = [(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in (*points, *others)]
    corners = []
    for (x, y), (width, height) in zip(points, sizes, strict=True):
        places = list(_places(x, y, width, height))
        free = (place for place in places if _is_free(place, (width, height), room, taken))
        left, bottom = next(free, places[0])
        taken.append((left, bottom, left + width, bottom + height))
        corners.append((round(left, 6), round(bottom, 6)))
    return corners


def _places(x: float, y: float, width: float, height: float) -> Iterator[Pair]:
    """Yield corners of a label of a point at (x, y), the nearest first. None is level with it, as its interval is."""
    sides = (x + MARK, x - MARK - width, x - width / 2)
    for step, above, left in product(range(30), (True, False), sides):
        away = MARK + step * height / 2
        yield left, y + away if above else y - away - height


def _is_free(corner: Pair, size: Pair, room: Pair, taken: Sequence[tuple[float, float, float, float]]) -> bool:
    left, bottom = corner
    right, top = left + size[0], bottom + size[1]
    if left < 0 or bottom < 0 or right > room[0] or top > room[1]:
        return False
    return all(right <= a or left >= c or top <= b or bottom >= d for a, b, c, d in taken)

"""Parse the input shapes that `grid` names: sequence lengths and batch sizes."""

import re
from typing import NamedTuple

from export.errors import BadInput, BadSetting, quoted

#: The most shapes of a grid. Each is timed for as long as the rounds.
MOST_SHAPES = 100

#: The most characters of `grid`, which hold more than `MOST_SHAPES` shapes.
_LONGEST = 2000

_FORM = re.compile(r"([0-9]{1,9}(?:,[0-9]{1,9})*)x([0-9]{1,9}(?:,[0-9]{1,9})*)")


class Shape(NamedTuple):
    """The shape of an input: the number of tokens in a sequence, and of sequences.

    >>> str(Shape(128, 4))
    '128 x 4'
    """

    sequence: int
    batch: int

    def __str__(self) -> str:
        return f"{self.sequence} x {self.batch}"


def shapes_of(words: str) -> list[Shape]:
    """Return all combinations of lengths and batch sizes in `grid`.

    Raises `BadInput` if it cannot be parsed, or if it has more than `MOST_SHAPES` shapes.

    >>> [str(shape) for shape in shapes_of("32,128x1,4")]
    ['32 x 1', '128 x 1', '32 x 4', '128 x 4']
    """
    found = _FORM.fullmatch("".join(words.split())) if len(words) <= _LONGEST else None
    if found is None:
        raise _wrong(words)
    sequences, batches = (dict.fromkeys(map(int, group.split(","))) for group in found.groups())
    if min(*sequences, *batches) < 1:
        raise _wrong(words)
    if len(sequences) * len(batches) > MOST_SHAPES:
        raise BadSetting(
            "{grid} has {count:,} shapes, and each is timed for as long as the rounds; ask for at most {most}",
            count=len(sequences) * len(batches),
            most=MOST_SHAPES,
        )
    return [Shape(sequence, batch) for batch in batches for sequence in sequences]


def _wrong(words: str) -> BadInput:
    form = "numbers of at least 1 separated by commas, as in 32,128x1,4"
    return BadSetting(f"{{grid}} is {{words}}; it must be SEQUENCESxBATCHES, {form}", words=quoted(words))

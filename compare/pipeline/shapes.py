"""The words of `--grid`: which lengths of a sequence and sizes of a batch are timed."""

import re
from typing import NamedTuple

from export.errors import BadInput

_FORM = re.compile(r"([0-9]+(?:,[0-9]+)*)x([0-9]+(?:,[0-9]+)*)")


class Shape(NamedTuple):
    """Of an input: how many tokens, in how many sequences.

    >>> str(Shape(128, 4))
    '128 x 4'
    """

    sequence: int
    batch: int

    def __str__(self) -> str:
        return f"{self.sequence} x {self.batch}"


def shapes_of(words: str) -> list[Shape]:
    """Every sequence with every batch, in the order given. Raises `BadInput` for other words.

    >>> [str(shape) for shape in shapes_of("32,128x1,4")]
    ['32 x 1', '128 x 1', '32 x 4', '128 x 4']
    """
    found = _FORM.fullmatch("".join(words.split()))
    if found is None:
        raise _wrong(words)
    sequences, batches = ([int(number) for number in group.split(",")] for group in found.groups())
    if min(*sequences, *batches) < 1:
        raise _wrong(words)
    return list(dict.fromkeys(Shape(sequence, batch) for batch in batches for sequence in sequences))


def _wrong(words: str) -> BadInput:
    return BadInput(
        f"--grid is {words!r}; it takes SEQUENCESxBATCHES, numbers of 1 or more with commas between, as in 32,128x1,4"
    )

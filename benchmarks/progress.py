"""Progress of the benchmarks: lines on stderr between trials, never during one."""

import time
from collections.abc import Collection, Iterator
from typing import TypeVar

from export.display import Plain

Item = TypeVar("Item")

#: The display of the running benchmark.
PROGRESS = Plain()


def one_by_one(what: str, items: Collection[Item]) -> Iterator[Item]:
    """Yield items, and print before each one how many there are and how much time the rest will take.

    >>> import sys
    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.PROGRESS", Plain(sys.stdout)):
    ...     list(one_by_one("run", "ab"))
    run: 1 of 2
    run: 2 of 2, 0 s so far, about 0 s left
    ['a', 'b']
    """
    began = time.monotonic()
    for number, item in enumerate(items):
        spent = time.monotonic() - began
        left = f", {spent:.0f} s so far, about {spent / number * (len(items) - number):.0f} s left" if number else ""
        PROGRESS.stage(what, f"{number + 1} of {len(items)}{left}")
        yield item

"""What every part of the load gives: how often a fault was made, and what of it was not well met."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from compare import machine

#: The folder in which a part of the load works, which is another one each time.
_FOLDER = re.compile(r"/[^\s']*?faultload-[^/\s']+")


@dataclass
class Case:
    """One kind of fault.

    part: the part of the load, a key of `LOADS` of `benchmarks.faultload.__main__`. what: the fault. expected: what is
    to happen. runs: how often it was made. misses: a line for each time that something else happened.
    """

    part: str
    what: str
    expected: str
    runs: int = 0
    misses: list[str] = field(default_factory=list)
    commit: str | None = field(default_factory=machine.commit)

    def count(self, miss: str | Iterable[str] = "") -> None:
        """Count one run. miss: what went wrong in it, if anything."""
        self.runs += 1
        found = [miss] if isinstance(miss, str) else list(miss)
        if line := "; ".join(filter(None, found)):
            self.misses.append(_FOLDER.sub("FOLDER", line))


def figures(cases: Iterable[Case]) -> dict[str, Any]:
    """Return the figures of a run of the load, from which the page is made."""
    return {"cases": [asdict(case) for case in cases]}

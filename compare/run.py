"""A comparison under way: what all of its steps share."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from compare.inputs import Inputs
from compare.runtimes.registry import Spec
from compare.settings import Settings
from export.cache import Entry

Say = Callable[[str], None]

#: The folder in a run's scratch that holds its inputs; also how a scratch folder is known to be ours.
INPUTS = "inputs"


@dataclass(frozen=True)
class Row:
    """What gets a row of its own: a runtime on the graphs and weights of a cache entry."""

    name: str
    spec: Spec
    entry: Entry


@dataclass
class Run:
    """A comparison under way: what every step needs, and what it found so far."""

    entry: Entry
    inputs: Inputs
    rows: list[Row]
    settings: Settings
    threads: int
    out: Path
    say: Say
    phases: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @property
    def scratch(self) -> Path:
        return self.out / "scratch"

    @property
    def input_folder(self) -> Path:
        return self.scratch / INPUTS

    def log(self, name: str) -> Path:
        return self.out / "logs" / f"{name}.log"

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Notes how long a step took, in seconds."""
        start = time.monotonic()
        yield
        self.phases[name] = time.monotonic() - start

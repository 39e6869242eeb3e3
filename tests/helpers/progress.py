"""A progress that keeps what it is told, for tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from export.progress import Progress


class Recorder(Progress):
    """Keeps every event in order, as a pair of its kind and its text. A tick is always due."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def texts(self, *kinds: str) -> list[str]:
        """The texts of the events of these kinds, in order."""
        return [text for kind, text in self.events if kind in kinds]

    def plan(self, stages: Any) -> None:
        self.events.append(("plan", ", ".join(stages)))

    def stage(self, name: str, what: str = "", of: int | None = None) -> None:
        self.events.append(("stage", f"{name}: {what}" if what else name))

    def step(self, what: str) -> None:
        self.events.append(("step", what))

    def waits(self, why: str) -> None:
        self.events.append(("waits", why))

    def note(self, line: str) -> None:
        self.events.append(("note", line))

    def detail(self, line: str) -> None:
        self.events.append(("detail", line))

    def due(self) -> bool:
        return True

    def results(self, **results: Any) -> None:
        for name, rows in results.items():
            self.events.append(("results", f"{name}: {len(rows or [])}"))

    @contextmanager
    def ticking(self, waits: Callable[[], str] | None = None) -> Iterator[None]:
        self.events.append(("ticking", "begins"))
        try:
            yield
        finally:
            self.events.append(("ticking", "ends"))

"""Displays of progress: lines printed one after the other, and what every display needs."""

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, RLock, Thread
from typing import TextIO

from export.printing import print_line, printable
from export.progress import SILENT, Progress

#: `Plain` prints a line after so many seconds without one.
SILENCE = 10.0

#: Seconds between two updates by the thread of `Display.ticking`.
_TICK = 1.0


class Display(Progress, ABC):
    """The state of the work, for displays that show it. A subclass defines `refresh`, and extends `note`.

    verbose: whether to show details.
    clock: returns the time in seconds.
    """

    def __init__(self, *, verbose: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self.verbose, self.clock = verbose, clock
        self.lock = RLock()
        self.steps: list[str] = []
        self._plan: list[str] = []
        self._place = 0
        self._name, self._what, self._waits = "starting", "", ""
        self._of: int | None = None
        self._began = clock()
        self._watched: list[Callable[[], str] | None] = []
        self._hidden = False

    @abstractmethod
    def refresh(self) -> None:
        """Show the current state. The lock is held."""

    def begin(self) -> None:
        """Show that a stage begins. The lock is held."""
        self._shown()

    def plan(self, stages: Sequence[str]) -> None:
        with self.lock:
            self._plan, self._place = list(stages), 0

    def stage(self, name: str, what: str = "", of: int | None = None) -> None:
        with self.lock:
            self._name, self._what, self._of = printable(name), printable(what), of
            self._waits, self.steps = "", []
            if name in self._plan[self._place :]:
                self._place = self._plan.index(name, self._place)
            self._began = self.clock()
            self.begin()

    def step(self, what: str) -> None:
        with self.lock:
            self.steps.append(printable(what))
            self._waits = ""
            self.detail(f"{self._name}: {what}")
            self._shown()

    def waits(self, why: str) -> None:
        with self.lock:
            self._waits = printable(why)
            self._shown()

    def detail(self, line: str) -> None:
        if self.verbose:
            self.note(line)

    @contextmanager
    def ticking(self, waits: Callable[[], str] | None = None) -> Iterator[None]:
        self._watched.append(waits)
        ended = Event()
        thread = Thread(target=self._tick, args=(ended,), name="progress", daemon=True)
        if len(self._watched) == 1:
            thread.start()
        try:
            yield
        finally:
            self._watched.pop()
            if not self._watched:
                ended.set()
                thread.join()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        with self.lock:
            self._hidden = True
        try:
            yield
        finally:
            with self.lock:
                self._hidden = False
                self._shown()

    @property
    def title(self) -> str:
        """The stage: its name, and what is done in it."""
        return ": ".join(filter(None, (self._name, self._what)))

    @property
    def state(self) -> str:
        """How far the stage is, what it waits for, and how long it has taken, such as "2 of 6, onnxruntime, 14 s"."""
        done = "" if self._of is None else f"{len(self.steps)} of {self._of}"
        return ", ".join(filter(None, (done, self._waits, f"{self.clock() - self._began:.0f} s")))

    @property
    def left(self) -> str:
        """The stages after this one, such as "then rounds, decoding"; empty if none is planned."""
        after = self._plan[self._place + 1 :]
        return f"then {', '.join(after)}" if after else ""

    def _shown(self) -> None:
        if not self._hidden:
            self.refresh()

    def _tick(self, ended: Event) -> None:
        while not ended.wait(_TICK):
            watched = next(filter(None, reversed(self._watched)), None)
            if watched is not None:
                self.waits(watched())
            else:
                with self.lock:
                    self._shown()


class Plain(Display):
    """Prints one line for each stage, and after `SILENCE` seconds without a line, one that says how far the stage is.

    file: where it prints to; None is stderr.
    verbose, clock: see `Display`.

    >>> progress = Plain(sys.stdout)
    >>> progress.stage("traces", "run 2 runtimes", of=2)
    traces: run 2 runtimes
    >>> progress.step("torch-eager")
    >>> progress.note("NOTE: the weights are random")
    NOTE: the weights are random
    """

    def __init__(
        self, file: TextIO | None = None, *, verbose: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(verbose=verbose, clock=clock)
        self._file = file
        self._printed = clock()

    def begin(self) -> None:
        self.note(self.title)

    def note(self, line: str) -> None:
        with self.lock:
            if file := self._file or sys.stderr:  # a script without stderr has none
                print_line(line, file)
            self._printed = self.clock()

    def due(self) -> bool:
        return self.clock() - self._printed >= SILENCE

    def refresh(self) -> None:
        if self.due():
            self.note(f"{self._name}: {self.state}")


def default_progress() -> Progress:
    """Return the progress of the Python API: in a notebook it prints lines below the cell, in a script it is silent."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return SILENT if getattr(shell, "kernel", None) is None else Plain(sys.stdout)

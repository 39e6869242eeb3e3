"""Progress of long work: which stage it is in, how much of it is left, and what it waits for.

The work calls a `Progress`; its caller chooses what is shown. `Progress` shows nothing, `export.display.Plain` prints
lines, and `compare.cli.live.Live` redraws them on a terminal. Displays change only in calls of the work, so nothing is
drawn while it measures latency. Only in `Progress.ticking`, which the work opens where it measures nothing, a thread
shows how the time passes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self


class Progress:
    """Receives the progress of long work and shows nothing. Subclasses show it.

    >>> class Stages(Progress):
    ...     def stage(self, name, what="", of=None):
    ...         print("begins:", name)
    >>> Stages().stage("rounds", of=12)
    begins: rounds
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the display."""

    def plan(self, stages: Sequence[str]) -> None:
        """Set the names of the stages to come, in order. A stage may be left out, repeated, or missing here."""

    def stage(self, name: str, what: str = "", of: int | None = None) -> None:
        """Begin a stage.

        name: its name, a word or two.
        what: what is done in it.
        of: the number of its steps; None if it is not known.
        """

    def step(self, what: str) -> None:
        """End a step of the stage. what: the step or its result."""

    def waits(self, why: str) -> None:
        """Set what the stage does or waits for at present."""

    def note(self, line: str) -> None:
        """Show a line that stays."""

    def detail(self, line: str) -> None:
        """Show a line that stays, if details were asked for. It may be called from any thread."""

    def due(self) -> bool:
        """Return whether a call of `waits` or `results` would change what is shown now.

        Between rounds, the work computes what it passes to them only if this is true.
        """
        return False

    def results(
        self,
        *,
        runtimes: Sequence[Any] | None = None,
        latency: Sequence[Any] | None = None,
        decoding: Sequence[Any] | None = None,
    ) -> None:
        """Set the results of a comparison so far; None leaves the earlier ones.

        runtimes, latency, decoding: the rows of the report with these names, for the runtimes that have any.
        """

    @contextmanager
    def ticking(self, waits: Callable[[], str] | None = None) -> Iterator[None]:  # noqa: ARG002
        """Show how the time passes, in the `with` block. Latency must not be measured in it.

        waits: returns what the stage waits for; a thread calls it about once a second. Blocks may be nested.
        """
        yield

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide the display in the `with` block, in which a library draws on the terminal."""
        yield


#: The default of functions that take a progress.
SILENT = Progress()

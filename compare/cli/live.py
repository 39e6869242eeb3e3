"""The live display of progress on a terminal: a few lines that are redrawn, and that vanish at the end."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live as RichLive
from rich.text import Text

from export.display import Display, Plain
from export.printing import printable

#: Returns the lines of a table of the results so far. Its arguments are the report's rows of runtimes, latency and
#: decoding, and the width of the terminal in characters and its encoding.
TableLines = Callable[[Sequence[Any], Sequence[Any], Sequence[Any], int, str], Sequence[Text]]

#: Seconds between two drawings, unless a stage begins.
_INTERVAL = 0.25

#: The most lines that are shown instead of a table.
_LINES = 8


class Live(Display):
    """Redraws the stage on stderr: what it does, how much is left, what it waits for, and the results so far.

    Nothing is drawn by itself: each drawing is a call of the work, or of a thread in `ticking`.

    table: returns the lines of the results so far. Without it, or before the first result, the last steps are shown.
    verbose: see `Display`.
    """

    def __init__(self, table: TableLines | None = None, *, verbose: bool = False) -> None:
        super().__init__(verbose=verbose)
        self._table = table
        self._results: dict[str, Sequence[Any]] = {"runtimes": [], "latency": [], "decoding": []}
        self._drawn = self.clock()
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._live = self._new_live()

    def __enter__(self) -> Self:
        with self.lock:
            self._live.start()
            self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def begin(self) -> None:
        if not self._hidden:
            self._live.update(self._lines(), refresh=True)
            self._drawn = self.clock()

    def refresh(self) -> None:
        if self.due():
            self.begin()

    def due(self) -> bool:
        return self.clock() - self._drawn >= _INTERVAL

    def note(self, line: str) -> None:
        with self.lock:
            self._console.print(self._text(line))

    @contextmanager
    def hidden(self) -> Iterator[None]:
        with self.lock:
            self._live.stop()
            self._console.print(self._text(self.title))  # until the library draws something
        try:
            with super().hidden():
                yield
        finally:
            with self.lock:
                self._live = self._new_live()  # the old one would erase what the library has drawn
                self._live.start()
                self.begin()

    def results(
        self,
        *,
        runtimes: Sequence[Any] | None = None,
        latency: Sequence[Any] | None = None,
        decoding: Sequence[Any] | None = None,
    ) -> None:
        given = {"runtimes": runtimes, "latency": latency, "decoding": decoding}
        with self.lock:
            self._results |= {name: list(rows) for name, rows in given.items() if rows is not None}
            self.refresh()

    def _new_live(self) -> RichLive:
        return RichLive(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)

    def _lines(self) -> RenderableType:
        shown: list[RenderableType] = []
        if self._table is not None and any(self._results.values()):
            runtimes, latency, decoding = self._results.values()
            shown += self._table(runtimes, latency, decoding, self._console.width, self._console.encoding)
        else:
            shown += [self._line(f"  {line}") for line in self.steps[-_LINES:]]
        shown += [self._text(self.title), self._line(f"  {self.state}")]
        return Group(*shown, *([self._line(f"  {self.left}")] if self.left else []))

    def _text(self, text: str) -> Text:
        return Text(printable(text, self._console.encoding))

    def _line(self, text: str) -> Text:
        return Text(printable(text, self._console.encoding), no_wrap=True, overflow="ellipsis")


def command_progress(*, verbose: bool = False) -> Display:
    """Return the display of a command's progress: live if stderr is a terminal that can redraw, else plain lines."""
    live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return Live(results_so_far, verbose=verbose) if live else Plain(verbose=verbose)


def results_so_far(
    runtimes: Sequence[Any], latency: Sequence[Any], decoding: Sequence[Any], width: int, encoding: str
) -> list[Text]:
    """Return the lines of the screen's table while results are still to come. width: in characters."""
    from compare.report.render.terminal import table_lines  # here, because the first drawing does not need it
    from compare.report.screen import table

    return table_lines(table(runtimes, latency, decoding, running=True), width, encoding)

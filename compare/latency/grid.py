"""The grid: latency for other sequence lengths and batch sizes, measured on worker processes that are already loaded.

Each input shape is a cell. A cell has rounds and series of its own, which do not count for the rows of the comparison.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from compare.latency.rounds import precise, run_rounds
from compare.latency.series import Series
from compare.latency.worker_process import WorkerProcess


@dataclass
class Cell:
    """One input shape of the grid, and its rounds in all shifts so far."""

    #: The trace folder with the cell's inputs.
    inputs: Path
    #: The number of rounds so far.
    rounds: int = 0
    #: The series of each process in this cell.
    series: dict[WorkerProcess, Series] = field(default_factory=dict)

    def measure(
        self,
        rows: Sequence[Series],
        *,
        seconds: float,
        seed: int,
        least: int,
        precision: float,
        between: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Run rounds on this cell's inputs, with new series: those of the rows stay as they are.

        rows: series whose processes are loaded.
        seconds: the time limit of the rounds.
        seed: seed of the order in each round and of the intervals.
        least: the fewest rounds.
        precision: the rounds end if half the width of every interval is at most this share of the ratio.
        between: see `compare.latency.rounds.run_rounds`.

        Round numbers continue from earlier calls. If a runtime cannot run with the inputs, its error is only in this
        cell, and it runs in other cells if its process is still alive.
        """
        for row in rows:
            if row.process not in self.series:
                self.series[row.process] = row.further(self.inputs)
        present = [self.series[row.process] for row in rows]
        for each in present:
            each.switch_inputs()
        self.rounds = run_rounds(
            present,
            seconds=seconds,
            seed=seed,
            first=self.rounds,
            least=least,
            done=lambda: precise(present, precision, seed),
            between=between,
        )

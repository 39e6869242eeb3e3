"""The grid: latency with other sequence lengths and batch sizes, on worker processes that have been timed already.

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
    """One input shape of the grid, and its rounds so far in all shifts."""

    #: The trace folder with the cell's inputs.
    inputs: Path
    #: How many rounds there were.
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
        """Run rounds on this cell's inputs. The series of the rows themselves do not change.

        rows: series whose processes are loaded.
        seconds: the most that the rounds may take.
        seed: seed of the order in each round and of the intervals.
        least: the fewest rounds.
        precision: the half-width of the intervals at which the rounds end.
        between: see `compare.latency.rounds.run_rounds`.

        Rounds are numbered on from earlier calls. A runtime that cannot take the inputs has an error in this cell only,
        and runs in other cells if its process still lives.
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

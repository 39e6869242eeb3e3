"""Latency on other lengths of a sequence and sizes of a batch, in the processes that were timed already.

Each is a cell: rounds of its own, in series that the rows of the comparison never see.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from compare.latency.rounds import precise, run_rounds
from compare.latency.series import Series
from compare.latency.worker_process import WorkerProcess


@dataclass
class Cell:
    """The rounds on one input so far, over all shifts."""

    #: The trace folder with the cell's inputs.
    inputs: Path
    #: How many rounds there were.
    rounds: int = 0
    #: The series of each process in this cell.
    series: dict[WorkerProcess, Series] = field(default_factory=dict)

    def measure(self, rows: Sequence[Series], *, seconds: float, seed: int, least: int, precision: float) -> None:
        """Rounds on the processes of some loaded rows, numbered on, `seconds` at most; the rows keep their own turns.

        One that cannot take the inputs has an error in this cell, and goes on in others if its process lives.
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
        )

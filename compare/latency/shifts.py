"""Shifts: groups of series whose processes fit into memory together, each with the baseline and other residents."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from compare.latency.series import Series
from export.memory import available_bytes

#: A process is expected to need this many times the largest peak of the processes loaded before it.
ROOM = 1.2


@dataclass(frozen=True)
class Shift:
    """Series whose processes are loaded at the same time."""

    #: The series that are in every shift: the baseline, the A/A control, and the machine's limits.
    residents: list[Series]
    #: The series that are in this shift only.
    late: list[Series]
    #: This shift's share of the time: its number of non-resident series divided by that of all shifts.
    share: float

    @property
    def series(self) -> list[Series]:
        return self.residents + self.late

    @property
    def rows(self) -> list[Series]:
        """The series that are rows of the comparison."""
        return [each for each in self.series if each.role.has_row]


def shifts(
    series: Sequence[Series],
    *,
    memory: float | None = None,
    companions: Mapping[str, str] | None = None,
    loading: Callable[[Series], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> Iterator[Shift]:
    """Load series and yield them in shifts: in each the residents, and as many other series as fit into memory.

    memory: bytes that all processes may use together, None for all that is available.
    companions: name of a row -> name of the row that must be in the same shift.
    loading: returns a context manager for a series, which is entered while its graph is loaded.

    The residents and at least one other series in each shift are loaded even if memory is short. Before the next shift,
    the processes of all other series are ended.
    """
    residents = [each for each in series if each.role.resident]
    late = [each for each in series if not each.role.resident and each.alive]
    waiting = companies(late, companions or {})
    _load(residents, loading)
    alone = not waiting
    while waiting or alone:
        present: list[Series] = []
        while waiting and (
            not any(each.alive for each in present) or fits(residents + present, waiting[0], memory=memory)
        ):
            company = waiting.pop(0)
            _load(company, loading)
            present += company
        yield Shift(residents, present, len(present) / len(late) if late else 1.0)
        alone = False
        for each in present if waiting else []:
            each.process.end()


def companies(series: Sequence[Series], companions: Mapping[str, str]) -> list[list[Series]]:
    """Group the series that must be in the same shift: those of one row and of its companion."""
    groups: dict[str, list[Series]] = {}
    for each in series:
        groups.setdefault(companions.get(each.runtime, each.runtime), []).append(each)
    return list(groups.values())


def fits(loaded: Sequence[Series], company: Sequence[Series], *, memory: float | None) -> bool:
    """Return whether another group of series fits into memory, if each needs `ROOM` times the largest peak so far.

    loaded: the series that are loaded.
    company: the group.
    memory: bytes that all may use together, None for all that is available.
    """
    held = sum(each.settled_bytes for each in loaded if each.alive)
    room = available_bytes() if memory is None else min(available_bytes(), memory - held)
    return room >= ROOM * len(company) * max(each.peak_bytes for each in loaded)


def _load(series: Sequence[Series], loading: Callable[[Series], AbstractContextManager[None]]) -> None:
    for each in series:
        with loading(each):
            each.load()

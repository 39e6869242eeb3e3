"""Shifts: as many series at a time as memory holds, with those that others are measured against in each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from compare.latency.series import Series
from compare.processes.memory import available_bytes

#: A process is taken to need so many times the largest memory that any before it reached.
ROOM = 1.2


@dataclass(frozen=True)
class Shift:
    """Series whose processes are loaded and resident together."""

    #: Those that are in every shift: the baseline, the A/A control, and the machine's limits.
    residents: list[Series]
    #: Those that are in no other shift.
    late: list[Series]
    #: How many of all that are in one shift alone are in this one, so its share of the time.
    share: float

    @property
    def series(self) -> list[Series]:
        return self.residents + self.late

    @property
    def rows(self) -> list[Series]:
        """Those that are rows of the comparison."""
        return [each for each in self.series if each.role.has_row]


def shifts(
    series: Sequence[Series],
    *,
    memory: float | None = None,
    companions: Mapping[str, str] | None = None,
    loading: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterator[Shift]:
    """Series that are loaded, one after another, and resident together: the residents and as many as fit.

    The residents are loaded however little memory there is, and then one in every shift at least. When a shift is over
    and another follows, the processes of all but the residents are ended. memory: bytes that all may take together,
    None for what is free. companions: name of a row -> that of the row which it is not to be parted from. loading: is
    open while models are loaded.
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
    """The series in groups that are not to be parted: those of one row, and those of its companions."""
    groups: dict[str, list[Series]] = {}
    for each in series:
        groups.setdefault(companions.get(each.runtime, each.runtime), []).append(each)
    return list(groups.values())


def fits(loaded: Sequence[Series], company: Sequence[Series], *, memory: float | None) -> bool:
    """Whether memory holds a company too, each of it as large as the largest so far and a bit."""
    held = sum(each.settled_bytes for each in loaded if each.alive)
    room = available_bytes() if memory is None else min(available_bytes(), memory - held)
    return room >= ROOM * len(company) * max(each.peak_bytes for each in loaded)


def _load(series: Sequence[Series], loading: Callable[[], AbstractContextManager[None]]) -> None:
    with loading():
        for each in series:
            each.load()

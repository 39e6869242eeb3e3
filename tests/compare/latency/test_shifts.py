"""Tests of shifts: they hold as many processes as memory allows, the baseline, and companions together."""

from types import SimpleNamespace

import pytest

from compare.latency import shifts as shifts_module
from compare.latency.series import Role, Series
from compare.latency.shifts import shifts

GB = 10**9


class Fake(Series):
    """A stand-in for a series that needs memory once it is loaded."""

    def __init__(self, name: str, resident: list[str], role: Role = Role.RUNTIME, size: int = GB) -> None:
        self.key, self.resident, self.size = f"{name}/{role.name}", resident, size
        process = SimpleNamespace(name=name, end=self.end, kill=lambda: None)
        super().__init__(process, role, role.graph)  # type: ignore[arg-type]

    def load(self) -> None:
        if self.size:
            self.peak_bytes = self.settled_bytes = self.size
            self.resident.append(self.key)
        else:
            self.error = "too large"

    def end(self) -> None:
        if self.key in self.resident:
            self.resident.remove(self.key)


def pair(resident: list[str]) -> list[Series]:
    return [Fake("eager", resident, role) for role in (Role.BASELINE, Role.CONTROL)]


def shifts_of(*names: str, memory: float | None, failed: str = "", sizes: dict[str, int] | None = None) -> list:
    """Return the rows of each shift without the residents, and check how many processes were loaded during it."""
    resident: list[str] = []
    series = pair(resident)
    series += [Fake(name, resident, size=(sizes or {}).get(name, GB)) for name in names]
    if "onnxruntime" in names:
        series.append(Fake("onnxruntime", resident, Role.OBSERVER))
    for each in series:
        if each.runtime == failed:
            each.give_up("not timed")
    found, shares = [], []
    for shift in shifts(series, memory=memory, companions={"other-exporter": "onnxruntime"}):
        assert [each.role for each in shift.residents] == [Role.BASELINE, Role.CONTROL]
        assert shift.series == shift.residents + shift.late
        assert set(resident) == {each.key for each in shift.series if each.alive}  # type: ignore[attr-defined]
        found.append([each.runtime for each in shift.late])
        shares.append(shift.share)
    # The processes of the last shift stay, because some of them decode afterwards.
    assert set(resident) == {each.key for each in shift.series if each.alive}  # type: ignore[attr-defined]
    assert sum(shares) == pytest.approx(1)
    return found


def test_all_are_in_one_shift_where_memory_holds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shifts_module, "available_bytes", lambda: 100 * GB)
    assert shifts_of("a", "b", "c", memory=None) == [["a", "b", "c"]]
    assert shifts_of(memory=None) == [[]]


def test_what_is_free_decides_where_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    free = iter([1.3 * GB, 1.1 * GB, 1.1 * GB])  # beside one loaded in each shift, and after three of them
    monkeypatch.setattr(shifts_module, "available_bytes", lambda: next(free))
    assert shifts_of("a", "b", "c", "d", memory=None) == [["a", "b"], ["c"], ["d"]]


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (0.001 * GB, [["a"], ["b"], ["c"], ["d"]]),
        (4.1 * GB, [["a"], ["b"], ["c"], ["d"]]),
        (4.3 * GB, [["a", "b"], ["c", "d"]]),
        (5.3 * GB, [["a", "b", "c"], ["d"]]),
        (9.0 * GB, [["a", "b", "c", "d"]]),
    ],
)
def test_a_shift_holds_as_many_as_were_allowed(memory: float, expected: list, monkeypatch) -> None:
    """Each process takes 1 GB, the two residents take 2 GB, and a further process is expected to need 1.2 GB."""
    monkeypatch.setattr(shifts_module, "available_bytes", lambda: 100 * GB)
    assert shifts_of("a", "b", "c", "d", memory=memory) == expected


def test_graphs_that_are_compared_with_each_other_share_a_shift() -> None:
    found = shifts_of("a", "onnxruntime", "other-exporter", "b", memory=0.001 * GB)
    assert found == [["a"], ["onnxruntime", "other-exporter", "onnxruntime"], ["b"]]


def test_the_limits_are_in_every_shift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shifts_module, "available_bytes", lambda: 0)
    series = [*pair([]), Fake("a", []), Fake("b", []), Fake("matrix-product", [], Role.LIMIT)]
    found = [[each.runtime for each in shift.series] for shift in shifts(series)]
    assert found == [["eager", "eager", "matrix-product", name] for name in "ab"]


def test_one_that_failed_takes_no_place() -> None:
    assert shifts_of("a", "b", "c", memory=0.001 * GB, failed="b") == [["a"], ["c"]]
    assert shifts_of("a", "b", "c", memory=0.001 * GB, sizes={"a": 0}) == [["a", "b"], ["c"]]

"""The processes of a run: their order, and that none stays if one cannot start."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from compare.latency.series import Role
from compare.pipeline import start_series
from compare.pipeline.context import Row
from compare.runtimes.registry import BASELINE, spec_of


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """What `started_series` reads of a run with three rows, of which the first is the baseline."""
    rows = [Row(name, spec_of(name), tmp_path, named=True) for name in (BASELINE, "torch-sdpa", "torch-reference")]
    return SimpleNamespace(
        rows=rows,
        baseline=rows[0],
        positions=None,
        out=tmp_path,
        scratch=tmp_path / "scratch",
        variants_folder=tmp_path,
        self_folder=lambda *_: tmp_path,
        checks=SimpleNamespace(latency=True, thorough=False),
        output=SimpleNamespace(keep_traces=False),
    )


class Process:
    """Stands for a worker process. ended: the logs of those that have ended."""

    def __init__(self, name: str, log: str, ended: list[str]) -> None:
        self.name, self._log, self._ended = name, log, ended

    def end(self) -> None:
        self._ended.append(self._log)


class Starts:
    """Stands for `start`: notes which processes started and ended, and fails instead of starting one of them."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at = fails_at
        self.started: list[str] = []
        self.ended: list[str] = []

    def __call__(self, run: Any, row: Row, log: str, *, holds: str | None = None, **_: Any) -> Process:
        if len(self.started) == self.fails_at:
            raise OSError("Too many open files")
        self.started.append(log)
        return Process(holds or row.name, log, self.ended)


def test_the_control_starts_first_and_the_baseline_is_first(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = Starts()
    monkeypatch.setattr(start_series, "start", starts)
    with start_series.started_series(run) as series:
        assert [each.role for each in series[:3]] == [Role.BASELINE, Role.CONTROL, Role.RUNTIME]
        assert [each.runtime for each in series[2:4]] == ["torch-sdpa", "torch-reference"]
        assert [each.role for each in series[4:]] == [Role.LIMIT, Role.LIMIT]
    assert starts.started[:2] == [f"latency-1-{BASELINE}", f"latency-0-{BASELINE}"]
    assert sorted(starts.ended) == sorted(starts.started)


@pytest.mark.parametrize("fails_at", [0, 2, 5])
def test_if_one_cannot_start_those_before_it_are_ended(
    run: Any, fails_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = Starts(fails_at)
    monkeypatch.setattr(start_series, "start", starts)
    with pytest.raises(OSError, match="Too many open files"), start_series.started_series(run):
        raise AssertionError("it has started")
    assert len(starts.started) == fails_at
    assert sorted(starts.ended) == sorted(starts.started)

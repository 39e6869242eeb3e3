"""Test that the number of out-of-memory kills is read from the counter closest to this process."""

import os
import sys
from pathlib import Path

import pytest

from compare.processes import memory


@pytest.mark.skipif(sys.platform != "linux", reason="no other system counts them in a file")
def test_the_kernels_own_counters_are_found() -> None:
    there = [path for path in memory.counters() if path.is_file()]
    assert there[-1] == Path("/proc/vmstat")
    assert [path for path in there if "oom_kill " not in path.read_text()] == []


@pytest.mark.parametrize(
    ("contents", "kills"),
    [
        (["low 0\noom 7\noom_kill 4\noom_group_kill 8\n", "oom_kill 9\n"], 4),
        ([None, "nr_free_pages 3\noom_kill 9\n"], 9),
        (["oom_kill_disable 0\nunder_oom 1\n", "oom_kill 9\n"], 9),
        ([None], 0),
        ([], 0),
    ],
    ids=["the nearest", "one that is there", "one that counts them", "none is there", "nobody counts"],
)
def test_the_nearest_counter_is_read(
    contents: list[str | None], kills: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / str(place) for place in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        if content is not None:
            path.write_text(content)
    monkeypatch.setattr(memory, "counters", lambda: paths)
    assert memory.out_of_memory_kills() == kills


def test_a_child_that_takes_what_is_free_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    free, taken = [10e9], [0]
    monkeypatch.setattr(memory, "available_bytes", lambda: free[0])
    monkeypatch.setattr(memory, "resident_bytes", lambda pid: taken[0])
    watch, limited = memory.MemoryWatch(1), memory.MemoryWatch(1, 2e9)
    assert watch.exceeded() == limited.exceeded() == ""
    taken[0] = 3e9
    assert watch.exceeded() == ""
    assert limited.exceeded() == "it took 3.0 GB of memory, more than the 2.0 GB that it may have"
    free[0] = 0.1e9  # another process took it
    assert watch.exceeded() == ""
    taken[0] = 9e9
    assert watch.exceeded() == "it took 9.0 GB of memory, and 0.1 GB were left"


def test_a_process_that_has_ended_takes_nothing() -> None:
    assert memory.resident_bytes(2**30) == 0
    assert memory.resident_bytes(os.getpid()) > 2**20

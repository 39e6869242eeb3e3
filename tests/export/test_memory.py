"""Test how much memory is said to be free, also in a control group."""

from pathlib import Path

import psutil
import pytest

from export import memory
from export.memory import available_bytes, left_in


def group(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def test_a_control_group_of_version_2(tmp_path: Path) -> None:
    files = {"memory.max": "1000\n", "memory.current": "700\n", "memory.stat": "anon 400\ninactive_file 200\n"}
    assert left_in(group(tmp_path, files)) == 500


def test_a_control_group_of_version_1(tmp_path: Path) -> None:
    files = {
        "memory.limit_in_bytes": "1000",
        "memory.usage_in_bytes": "1200",
        "memory.stat": "total_inactive_file 10\n",
    }
    assert left_in(group(tmp_path, files)) == 0


def test_a_control_group_without_a_limit(tmp_path: Path) -> None:
    assert left_in(tmp_path) is None
    assert left_in(group(tmp_path, {"memory.max": "max\n", "memory.current": "700\n", "memory.stat": ""})) is None


def test_the_least_of_machine_and_groups_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"memory.max": "1000", "memory.current": "400", "memory.stat": ""}
    monkeypatch.setattr(memory, "memory_groups", lambda: [tmp_path / "none", group(tmp_path, files)])
    assert available_bytes() == 600
    monkeypatch.setattr(memory, "memory_groups", list)
    assert 0 < available_bytes() <= psutil.virtual_memory().total

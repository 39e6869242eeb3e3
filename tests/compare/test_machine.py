"""Test what is read of a machine with GPUs, by a command that stands for nvidia-smi."""

from pathlib import Path

import pytest

from compare import machine

LINES = """NVIDIA H100 80GB HBM3, 81559 MiB, 580.159.04
NVIDIA T4, 15360 MiB, 580.159.04"""


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the command nvidia-smi, which the test writes."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "nvidia-smi"


def written(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_each_gpu_has_a_name_memory_and_driver(smi: Path) -> None:
    written(smi, f'while read line; do echo "$line"; done <<END\n{LINES}\nEND')
    assert machine.gpus() == [
        "NVIDIA H100 80GB HBM3, 81559 MiB, driver 580.159.04",
        "NVIDIA T4, 15360 MiB, driver 580.159.04",
    ]


def test_without_a_gpu_or_its_driver_there_are_none(smi: Path) -> None:
    assert machine.gpus() == []
    written(smi, "echo no devices were found; exit 6")
    assert machine.gpus() == []

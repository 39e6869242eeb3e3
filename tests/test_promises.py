"""The promises of SECURITY.md that need a whole run: nothing is contacted, and nothing is written elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from compare.runtimes.javascript.page import _Server

BLOCKED = Path(__file__).parent / "helpers" / "no_network"


class Place:
    """A user with an empty home, an empty working folder, and a network that is blocked except for loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes = folder / "notes.txt"
        for name in ("home", "work", "temporary"):
            (folder / name).mkdir()

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        root = str(Path(__file__).parents[1])
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "XDG_"))}
        variables |= {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "temporary"),
            "ONNX_ATTENTION_COMPARE_CACHE": str(self.folder / "cache"),
            "NETWORK_NOTES": str(self.notes),
            "PYTHONPATH": os.pathsep.join([str(BLOCKED), root]),
            "HF_ENDPOINT": "http://hub.invalid",
        }
        return subprocess.run(
            [sys.executable, *command], cwd=self.folder / "work", env=variables, capture_output=True, text=True
        )

    def contacted(self) -> list[str]:
        """Return what the processes asked of other machines, each line once."""
        return sorted(set(self.notes.read_text().splitlines())) if self.notes.exists() else []

    def written(self) -> list[str]:
        """Return the files outside the cache and the report."""
        places = (self.folder / name for name in ("home", "work", "temporary"))
        return sorted(str(path.relative_to(self.folder)) for place in places for path in place.rglob("*"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_comparison_of_a_folder_contacts_nothing_and_writes_only_its_report_and_the_cache(
    place: Place, tiny_folder: Path
) -> None:
    out = place.folder / "report"
    command = ["-m", "compare", "--model", tiny_folder, "--runtimes", "onnxruntime", "--time", "0.5", "--threads", "1"]
    run = place.run(*command, "--min-rounds", "1", "--max-load", "100", "--out", out)
    assert run.returncode == 0, run.stderr
    assert (out / "report.html").is_file()
    assert place.contacted() == []
    assert place.written() == []


def test_only_the_hub_is_asked_for_a_model_of_the_hub(place: Place) -> None:
    run = place.run("-m", "export", "someone/model")
    assert run.returncode == 3, run.stderr
    assert place.contacted() == ["socket.getaddrinfo hub.invalid"]


def test_the_network_is_really_blocked(place: Place) -> None:
    """Without this, the tests above would hold if nothing were noted."""
    run = place.run("-c", "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)")
    assert "the network is blocked: socket.getaddrinfo 192.0.2.1" in run.stderr
    assert place.contacted() == ["socket.getaddrinfo 192.0.2.1"]


def test_each_test_that_security_names_is_there() -> None:
    root = Path(__file__).parents[1]
    named = re.findall(r"`(tests/[\w/]+\.py)`", (root / "SECURITY.md").read_text())
    assert len(set(named)) > 8
    assert [name for name in named if not (root / name).is_file()] == []


def test_the_server_of_the_page_listens_on_loopback() -> None:
    with _Server({}) as server:
        assert server.server_address[0] == "127.0.0.1"

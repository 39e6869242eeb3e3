"""Check that ONNX Runtime writes no device id or event to the user's folders in any process of this project."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compare.processes.environment import environment
from export.telemetry import OFF

IMPORTED = "import onnxruntime; assert 'onnxruntime' in sys.modules"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def run(home: Path, *command: str, given: dict[str, str] | None = None) -> list[str]:
    """Run a command in an empty home folder, and return the names of the telemetry files that it wrote.

    Only necessary environment variables are passed on. The variables that turn telemetry off are not, nor is `CI`,
    under which ONNX Runtime writes nothing.
    """
    needed = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        [sys.executable, *command], env=needed | {"HOME": str(home)} | (given or {}), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [path.name for path in home.rglob("*") if path.name in ("deviceid", "onnxruntime.db", "Microsoft")]


def test_the_check_can_fail(home: Path) -> None:
    """ONNX Runtime writes both files by default. With a version that does not, these tests would prove nothing."""
    assert {"deviceid", "onnxruntime.db"} <= set(run(home, "-c", f"import sys; {IMPORTED}"))


@pytest.mark.parametrize(
    "code",
    [
        f"import sys; from export.command import finish; finish(lambda: exec({IMPORTED!r}))",
        f"import sys, benchmarks; {IMPORTED}",
    ],
    ids=["a command", "a benchmark"],
)
def test_a_process_of_ours_leaves_none(home: Path, code: str) -> None:
    assert run(home, "-c", code) == []


def test_a_child_leaves_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OFF:
        monkeypatch.delenv(name)
    given = {name: value for name, value in environment(1).items() if name not in os.environ}
    assert given.keys() >= OFF.keys()
    assert run(home, "-c", f"import sys; {IMPORTED}", given=given) == []


def test_these_tests_leave_none() -> None:
    assert OFF.items() <= os.environ.items()


@pytest.mark.optimum
def test_an_export_with_optimum_leaves_none(home: Path, tiny_folder: Path, tmp_path: Path) -> None:
    """An export from Python turns telemetry off without a command, because optimum imports ONNX Runtime."""
    code = (
        "import sys; from pathlib import Path; from export.exporting import exported;"
        f"exported({str(tiny_folder)!r}, exporter='optimum', cache_dir=Path({str(tmp_path)!r}));"
        "assert 'onnxruntime' in sys.modules"
    )
    assert run(home, "-c", code) == []


@pytest.mark.slow
def test_a_comparison_leaves_none(home: Path, tiny_folder: Path, entry, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shape = ("--model", str(tiny_folder), "--runtimes", "onnxruntime", "--quick", "--time", "0.2", "--no-decode")
    assert run(home, "-m", "compare", *shape, "--out", str(out)) == []
    assert '"onnxruntime": "' in (out / "report.json").read_text()  # the run did import onnxruntime


def test_the_battery_leaves_none(home: Path) -> None:
    assert (
        run(home, "-m", "compare", "battery", "--kernels", "onnxruntime", "--cases", "plain", "--no-node-cases") == []
    )

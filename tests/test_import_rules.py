"""Check that the import contracts in pyproject.toml hold, and that a forbidden import breaks them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: The command that `make check` runs.
CHECK = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()"]


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the check on the packages in a folder."""
    return subprocess.run([*CHECK, "--no-cache", "--no-logo"], cwd=folder, capture_output=True, text=True)


def test_the_contracts_are_kept() -> None:
    run = checked(ROOT)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of this project's packages and contracts."""
    folder = tmp_path_factory.mktemp("copied")
    for package in ("compare", "export"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "byte_gpt2"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("compare/latency/statistics.py", "import compare.report.schema", "Imports run one way"),
        ("compare/numerics/tensors.py", "import compare.latency.statistics", "Imports run one way"),
        ("compare/numerics/tensors.py", "import compare.pipeline.settings", "Imports run one way"),
        ("compare/a_new_module.py", "", "Imports run one way"),
        ("compare/report/schema.py", "import compare.runtimes.registry", "The report imports nothing that measures"),
        ("export/errors.py", "def late():\n    import compare.machine", "export knows nothing of compare"),
        ("compare/numerics/tensors.py", "import compare.runtimes.registry", "The numerics know no runtime"),
        ("compare/battery/cases.py", "import compare.runtimes.registry", "The battery knows no runtime"),
        ("export/errors.py", "if TYPE_CHECKING:\n    import export.cache", "No imports in circles"),
    ],
)  # fmt: skip
def test_an_import_that_runs_the_wrong_way_breaks_its_contract(
    copied: Path, file: str, line: str, contract: str
) -> None:
    planted = copied / file
    before = planted.read_text() if planted.exists() else None
    planted.write_text(f"{before or ''}\n{line}\n")
    try:
        run = checked(copied)
    finally:
        planted.unlink() if before is None else planted.write_text(before)
    assert run.returncode == 1, run.stdout + run.stderr
    verdicts = [row for row in run.stdout.splitlines() if row.startswith(contract)]
    assert "BROKEN" in verdicts[0]
    assert checked(copied).returncode == 0

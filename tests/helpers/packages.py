"""Installs packages that bring runtimes of their own, as a user would."""

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]

#: A package with one runtime that works, and one whose runtimes cannot be used.
EXAMPLE, BROKEN = TESTS / "example_package", TESTS / "broken_package"


def install(folder: Path, *packages: Path) -> None:
    """Build the packages and install them into a folder, without a network and without their dependencies."""
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", folder, *packages]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr

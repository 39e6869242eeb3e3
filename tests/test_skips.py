"""Check that an unexpected skip fails a run with EXPECT_ALL=1, and that an expected one does not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")


@pytest.mark.parametrize(
    ("expect_all", "expected", "code"), [("1", "", 1), ("0", "", 0), ("1", "test_x.py::test_x", 0)]
)
def test_a_skip_that_is_not_expected_fails_the_run(tmp_path: Path, expect_all: str, expected: str, code: int) -> None:
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "expected_skips.txt").write_text(f"{expected}  # because\n")
    (tmp_path / "test_x.py").write_text("import pytest\ndef test_x(): pytest.skip('why not')\ndef test_y(): pass\n")
    environment = {**os.environ, "EXPECT_ALL": expect_all}
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == code, run.stdout
    assert ("skipped, and not in expected_skips.txt: test_x.py::test_x" in run.stdout) == (code == 1)

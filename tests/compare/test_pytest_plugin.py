"""Test the plugin in separate runs of pytest: what it imports, and what it prints about failures."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.helpers.imports import HEAVY

ROOT = Path(__file__).parents[2]

PASSES = "def test_nothing(): assert 1 + 1 == 2\n"
USES = """
import numpy as np, pytest
from compare import reference_attention

@pytest.fixture
def arrays():
    return tuple(np.random.default_rng(0).standard_normal((3, 1, 4, 20, 8), dtype=np.float32))

def test_clean(assert_attention_close, arrays):
    assert_attention_close(reference_attention(*arrays, causal=True)[0], *arrays, causal=True)
"""
FAILS = """
def test_head(assert_attention_close, arrays):
    context, _ = reference_attention(*arrays, causal=True)
    context[0, 2, 7:] *= np.float32(1.00001)
    assert_attention_close(context, *arrays, causal=True)

def test_scale(assert_attention_close, arrays):
    assert_attention_close(reference_attention(*arrays, scale=0.36)[0], *arrays)

def test_other(): assert 1 == 2
"""
LISTS = """
import sys
def pytest_unconfigure(): print("LOADED", *[name for name in {heavy!r} if name in sys.modules])
"""


def run(folder: Path, test: str, *arguments: str, path: Path = ROOT, autoload: bool = False) -> list[str]:
    """Run pytest on a test file in a new process, with warnings as errors, and return the lines that it prints."""
    (folder / "test_it.py").write_text(test)
    (folder / "conftest.py").write_text(LISTS.format(heavy=HEAVY))
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (path, ROOT)))}
    environment.pop("PYTEST_ADDOPTS", None)
    environment |= {} if autoload else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert not done.stderr, done.stderr
    assert "Warning" not in done.stdout, done.stdout
    return done.stdout.splitlines()


PLUGIN = ("-p", "onnx_attention_compare_pytest")


def test_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    lines = run(tmp_path, PASSES, *PLUGIN)
    assert "1 passed" in lines[-2]
    assert lines[-1] == "LOADED"


def test_nothing_heavy_is_loaded_when_another_test_fails(tmp_path: Path) -> None:
    lines = run(tmp_path, "def test_other(): assert 1 == 2\n", *PLUGIN)
    assert "1 failed" in lines[-2]
    assert lines[-1] == "LOADED"
    assert not any("attention gap" in line for line in lines)


def test_the_check_can_fail(tmp_path: Path) -> None:
    assert run(tmp_path, "import torch\n" + PASSES, *PLUGIN)[-1] == "LOADED torch numpy"


def test_a_check_that_passes_is_silent(tmp_path: Path) -> None:
    lines = run(tmp_path, USES, *PLUGIN)
    assert "1 passed" in lines[-2]
    assert not any("attention gap" in line for line in lines)


def test_a_failure_has_a_section_and_the_worst_a_line(tmp_path: Path) -> None:
    lines = run(tmp_path, USES + FAILS, *PLUGIN)
    first = lines.index(next(line for line in lines if line.startswith("---") and "attention gap" in line))
    headline, place, count, batch, head, query, channel = lines[first + 1 : first + 8]
    assert headline.startswith("attention is different, not rounding: worst channel ")
    assert place.startswith("at batch 0, head 2, query ")
    assert count.endswith("of 640 numbers differ by more than the limit of the largest error:")
    assert (batch, head, query) == ("batch    0 (of 1)", "head     2 (of 4)", "query    7 to 19 (of 20)")
    assert channel.startswith("channel")
    assert sum("attention gap -----" in line for line in lines) == 2
    last = lines.index(next(line for line in lines if "= attention gap: 2 failed =" in line))
    assert lines[last + 1].startswith("the worst: ")
    assert lines[last + 1].endswith("(test_it.py::test_scale)")
    assert "3 failed, 1 passed" in lines[-2]
    assert any(line.startswith(">       assert_attention_close(context, ") for line in lines)  # the caller's line


def test_a_fixture_that_fails_is_reported_too(tmp_path: Path) -> None:
    test = FAILS.replace("def test_scale", "@pytest.fixture\ndef made") + "\ndef test_b(made): 0\n"
    lines = run(tmp_path, USES + test, *PLUGIN)
    assert any(line.startswith("the worst: ") and line.endswith("(test_it.py::test_b)") for line in lines)


@pytest.fixture
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package's metadata as an installer writes it: its files, and pyproject's entry points."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "onnx_attention_compare-0.1.0.dist-info"
    info.mkdir()
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: onnx-attention-compare\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[pytest11]\n" + "".join(f"{n} = {v}\n" for n, v in points.items()))
    files = ("compare/__init__.py", "export/__init__.py", "onnx_attention_compare_pytest.py")
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in files))
    return folder


@pytest.mark.slow
def test_once_by_entry_point_and_once_by_name(installed: Path, tmp_path: Path) -> None:
    """The plugin is loaded once, however it is requested and how often."""
    asked = "pytest_plugins = ['onnx_attention_compare_pytest']\n"
    for arguments, test in (((), USES), (PLUGIN, USES), (PLUGIN * 2, USES + asked)):
        lines = run(tmp_path, test + FAILS, *arguments, path=installed, autoload=True)
        assert "3 failed, 1 passed" in lines[-2], lines
        assert sum("attention gap -----" in line for line in lines) == 2
    assert run(tmp_path, PASSES, path=installed, autoload=True)[-1] == "LOADED"
    blocked = run(tmp_path, USES, "-p", "no:onnx_attention_compare_pytest", path=installed, autoload=True)
    assert any("fixture 'assert_attention_close' not found" in line for line in blocked)


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A project with its own compare.py, export.py and numpy.py, and with a test that uses the fixture."""
    return Path(shutil.copytree(ROOT / "tests" / "stranger", tmp_path / "project"))


def run_in(stranger: Path, installed: Path, *arguments: str) -> tuple[int, list[str]]:
    """Run `pytest` in that project with the package installed, and return its exit code and its lines."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (installed, ROOT)))}
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=stranger, env=environment, capture_output=True, text=True)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("name", ["compare", "export"])
def test_a_project_with_modules_of_our_names_is_tested_as_ever(name: str, stranger: Path, installed: Path) -> None:
    """Only the test that uses the fixture fails, with one line, which pytest repeats in its summary."""
    if name == "export":
        (stranger / "compare.py").rename(stranger / "same.py")
        test = stranger / "test_project.py"
        test.write_text(test.read_text().replace("from compare", "from same"))
    code, lines = run_in(stranger, installed)
    said = (
        f"assert_attention_close needs the package {name} of onnx-attention-compare, and import {name} finds "
        f"{stranger / name}.py: rename it, or run these tests alone: pytest --import-mode=importlib FILE"
    )
    assert (code, lines[-1].partition(" in ")[0]) == (1, "1 passed, 1 error")
    assert said in lines
    assert not any(line.startswith(("E ", "Traceback")) for line in lines)


def test_what_the_message_advises_helps(stranger: Path, installed: Path) -> None:
    code, lines = run_in(stranger, installed, "--import-mode=importlib", "test_attention.py")
    assert (code, lines[-1].partition(" in ")[0]) == (0, "1 passed")


def test_another_projects_failures_are_its_own(stranger: Path, installed: Path) -> None:
    """If another test fails there, the plugin imports nothing and prints nothing."""
    test = stranger / "test_project.py"
    test.write_text(test.read_text() + "\n\ndef test_fails():\n    assert same(1, 2)\n")
    code, lines = run_in(stranger, installed, "test_project.py")
    assert (code, lines[-1].partition(" in ")[0]) == (1, "1 failed, 1 passed")
    assert not any("attention" in line for line in lines)


def test_a_process_that_has_the_package_already_gets_no_warning(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(USES)
    code = "import sys, compare, export, compare.testing, pytest; sys.exit(pytest.main(['-W', 'error', 'test_it.py']))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (installed, ROOT)))}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "arning" not in done.stdout

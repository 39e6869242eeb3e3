"""Test that commands and children import this project's packages, whatever is in the folder where they start."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compare.processes import guardian
from compare.processes.child import Launch, run_child

ROOT = Path(__file__).parents[3]

#: A child that writes the locations of its imports, and its search path.
CHILD = """
import json, sys
from pathlib import Path
import compare, export, numpy
from compare.processes.child_side import main_of_child
found = {module.__name__: module.__file__ for module in (compare, export, json, numpy)} | {"path": sys.path}
main_of_child(lambda job: Path(job["out"]).write_text(json.dumps(found)) and None)
"""

#: The same child, started by another process.
PARENT = """
from pathlib import Path
from compare.processes.child import Launch, run_child
out = Path({!r})
run_child(Launch("some_child", {{"out": str(out)}}, threads=1, log=out.with_name("log")), timeout=60)
"""


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """A folder with files that have the names of imported modules and cannot be imported."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("compare", "export", "json", "numpy", "torch"):
        (folder / f"{name}.py").write_text(f"raise ImportError('{name} of a stranger')\n")
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a module for `run_child`."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "some_child.py").write_text(CHILD)
    return folder


def python(*arguments: str, cwd: Path, path: list[Path] | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with these folders as PYTHONPATH."""
    unset = ("PYTHONPATH", "PYTHONSAFEPATH")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {"PYTHONPATH": os.pathsep.join(map(str, path))} if path else {}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("also_on_path", [False, True])
def test_a_child_imports_nothing_of_the_working_folder(
    also_on_path: bool, strangers: Path, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = [site]
    if also_on_path:  # imported from PYTHONPATH, except for this project's packages
        for name in ("json", "numpy"):
            (strangers / f"{name}.py").unlink()
        path.append(strangers)
    monkeypatch.chdir(strangers)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, path)))
    run_child(Launch("some_child", {"out": tmp_path / "out"}, threads=1, log=tmp_path / "log"), timeout=60)
    found = json.loads((tmp_path / "out").read_text())
    assert found["compare"] == str(ROOT / "compare" / "__init__.py")
    assert found["export"] == str(ROOT / "export" / "__init__.py")
    assert not {found["json"], found["numpy"]} & {str(strangers / "json.py"), str(strangers / "numpy.py")}


def test_a_child_has_the_packages_of_its_parent_and_pythons_own_search_path(site: Path, tmp_path: Path) -> None:
    """The parent runs from a checkout that is not installed, although another one may be."""
    checkout = tmp_path / "checkout"
    for package in ("compare", "export"):
        shutil.copytree(ROOT / package, checkout / package, ignore=shutil.ignore_patterns("*.safetensors", "*.png"))
    out = tmp_path / "out"
    run = python("-c", PARENT.format(str(out)), cwd=checkout, path=[site])
    assert run.returncode == 0, run.stderr
    found = json.loads(out.read_text())
    assert found["compare"] == str(checkout / "compare" / "__init__.py")
    assert found["export"] == str(checkout / "export" / "__init__.py")
    plain = python("-P", "-c", "import json, sys; print(json.dumps(sys.path))", cwd=checkout, path=[site])
    assert found["path"] == json.loads(plain.stdout)


def test_the_guardian_starts_beside_strangers(strangers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guardian, "_guarded", None)
    monkeypatch.chdir(strangers)
    guardian.mark_of_child()
    assert guardian._guarded is not None
    guardian._guarded.guardian.communicate()  # the pipe closes, and no process has the mark, so it ends
    assert guardian._guarded.guardian.returncode == 0


def test_a_command_beside_an_export_of_a_stranger_says_so_in_one_line(strangers: Path) -> None:
    (strangers / "compare.py").unlink()
    note = f"note: {strangers / 'export.py'} is not imported: python -m compare has a package of that name\n"
    for arguments in (["--help"], ["runtimes"]):
        run = python("-m", "compare", *arguments, cwd=strangers)
        assert (run.returncode, run.stderr) == (0, note)
    assert python("-P", "-m", "compare", "--help", cwd=strangers).stderr == ""
    (strangers / "export.py").unlink()
    (strangers / "export").mkdir()  # without __init__.py: an installed package goes first
    assert python("-m", "compare", "--help", cwd=strangers).stderr == ""


def test_a_comparison_beside_strangers(strangers: Path, entry, tiny_folder: Path, tmp_path: Path) -> None:
    (strangers / "compare.py").unlink()
    shape = ("--runtimes", "onnxruntime", "--quick", "--no-latency", "--threads", "1")
    run = python("-m", "compare", "--model", str(tiny_folder), *shape, "--out", str(tmp_path / "out"), cwd=strangers)
    assert run.returncode == 0, run.stderr
    assert "onnxruntime  yes" in run.stdout


def test_export_beside_strangers(strangers: Path, tmp_path: Path) -> None:
    for name in ("export", "json"):  # -m export would run theirs; the standard library is imported before our packages
        (strangers / f"{name}.py").unlink()
    run = python("-m", "export", "--list", "--cache-dir", str(tmp_path), cwd=strangers)
    assert run.returncode == 0, run.stderr


def test_a_command_has_its_own_export_where_another_is_on_the_path(strangers: Path, tmp_path: Path) -> None:
    """The command is started in the same way as by the console script."""
    (strangers / "compare.py").unlink()
    code = "import sys; sys.argv[1:] = ['--help']; from compare.__main__ import main; main()"
    other = tmp_path / "other"
    other.mkdir()
    shutil.move(strangers / "export.py", other)
    run = python("-P", "-c", code, cwd=strangers, path=[other])
    assert (run.returncode, run.stderr) == (0, "")
    assert "Compare a model across runtimes" in run.stdout

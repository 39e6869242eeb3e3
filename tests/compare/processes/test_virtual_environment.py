"""Test that an environment has its own packages, is made once, and leaves nothing if it cannot be made."""

import json
import subprocess
import venv
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from compare.processes.child import Launch, run_child
from compare.processes.virtual_environment import VirtualEnvironment
from export.errors import BadInput, CannotRun
from tests.helpers.progress import Recorder

ROOT = Path(__file__).parents[3]

#: A child that writes the locations of what it imports, and whether it has the packages of its parent.
CHILD = """
import json, sys
from importlib.util import find_spec
from pathlib import Path
import compare, only_there
from compare.processes.child_side import main_of_child
from compare.processes.virtual_environment import VirtualEnvironment
found = {"compare": compare.__file__, "only_there": only_there.__file__, "pytest": find_spec("pytest") is not None}
found["runs_this"] = [VirtualEnvironment(name, ()).runs_this for name in ("own", "other")]
main_of_child(lambda job: Path(job["out"]).write_text(json.dumps(found)) and None)
"""


def wheel(folder: Path) -> Path:
    """Write the wheel of a package with one module, and return it."""
    path = folder / "only_there-1.0-py3-none-any.whl"
    info = "only_there-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("only_there.py", "")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: only-there\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory):
    """A cache of this module's own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONNX_ATTENTION_COMPARE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def own(cache: Path) -> VirtualEnvironment:
    """An environment with one package."""
    environment = VirtualEnvironment("own", (str(wheel(cache)),))
    assert not environment.is_made
    environment.make()
    return environment


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "environments").touch()
    monkeypatch.setenv("ONNX_ATTENTION_COMPARE_CACHE", str(tmp_path))
    with pytest.raises(BadInput) as error:
        VirtualEnvironment("none", ()).make()
    assert str(error.value) == (
        f"the cache folder {tmp_path / 'environments'} cannot be written: there is something else in its place; set "
        "ONNX_ATTENTION_COMPARE_CACHE to another folder"
    )


def test_a_python_without_pip_is_a_reason(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def create(folder: Path, **_: object) -> None:
        folder.mkdir()
        raise subprocess.CalledProcessError(1, ["python", "-m", "ensurepip"])

    monkeypatch.setattr(venv, "create", create)
    environment = VirtualEnvironment("none", ())
    with pytest.raises(CannotRun, match=r"cannot make a virtual environment with pip \(.*ensurepip.*\); install"):
        environment.make()
    assert not environment.folder.exists()


def test_a_child_has_this_project_and_the_packages_of_the_environment(
    own: VirtualEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_child.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    out, log = tmp_path / "out", tmp_path / "log"
    run_child(Launch("some_child", {"out": out}, threads=1, log=log, python=str(own.python)), timeout=60)
    found = json.loads(out.read_text())
    assert Path(found["only_there"]).is_relative_to(own.folder)
    assert found["compare"] == str(ROOT / "compare" / "__init__.py")
    assert not found["pytest"]
    assert found["runs_this"] == [True, False]
    assert not own.runs_this


def test_it_is_made_once_and_again_for_other_requirements(own: VirtualEnvironment, cache: Path) -> None:
    assert own.folder == cache / "environments" / "own"
    assert own.is_made
    assert not replace(own, requirements=(*own.requirements, "another==1.0")).is_made
    before = own.python.lstat().st_mtime_ns
    progress = Recorder()
    own.make(progress)
    assert own.python.lstat().st_mtime_ns == before
    assert progress.texts("stage") == [f"environment: own is installed in {own.folder}"]


def test_what_cannot_be_installed_leaves_nothing(cache: Path) -> None:
    environment = VirtualEnvironment("hollow", (str(cache / "no_such-1.0-py3-none-any.whl"),))
    with pytest.raises(CannotRun, match=r"^pip cannot install .*no_such-1.0-py3-none-any.whl: ERROR: "):
        environment.make()
    assert not environment.folder.exists()

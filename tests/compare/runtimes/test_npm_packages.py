"""Test how npm packages are installed and a Chromium is chosen, with programs that only write down their arguments."""

import json
import os
from pathlib import Path

import pytest

from compare.runtimes import npm_packages
from compare.runtimes.npm_packages import NpmPackages
from export.errors import CannotRun

PAGE = NpmPackages("onnxruntime-web", browser=True)
NODE = NpmPackages("onnxruntime-node")


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A search path with fake programs alone, an empty cache, and no Chromium of Playwright's."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("ONNX_ATTENTION_COMPARE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "browsers"))
    monkeypatch.setattr(npm_packages.sys, "executable", str(tmp_path / "python"))
    return folder


def program(folder: Path, name: str, script: str = "") -> None:
    """Write a program that runs a line of shell and writes its arguments to a file."""
    (folder / name).write_text(f'#!/bin/sh\necho "$@" >> "{folder}/{name}.arguments"\n{script}\n')
    (folder / name).chmod(0o755)


def arguments(folder: Path, name: str) -> str:
    return (folder / f"{name}.arguments").read_text()


def test_what_is_missing_is_named(programs: Path) -> None:
    assert PAGE.missing() == ["onnxruntime-web", "Chromium"]
    assert NODE.missing() == ["Node.js", "onnxruntime-node"]
    program(programs, "node")
    assert NODE.missing() == ["onnxruntime-node"]


def test_without_npm_a_sentence_says_what_installs_it(programs: Path) -> None:
    program(programs, "node")
    with pytest.raises(CannotRun, match=r"^npm is not on the search path; install Node.js, for example with: pip"):
        NODE.make()


def test_the_packages_are_installed_once_for_all(programs: Path) -> None:
    program(programs, "node")
    program(programs, "npm")
    for _ in range(2):
        NODE.make()
    assert NODE.missing() == []
    listed = json.loads((npm_packages.folder() / "package.json").read_text())
    assert listed["dependencies"][NODE.package] == NODE.version
    ran = arguments(programs, "npm")
    cache = f"--cache={npm_packages.folder() / 'npm-cache'}"
    quiet = "--ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error"
    assert ran.splitlines() == [f"ci {quiet} {cache} --omit=dev"]
    assert PAGE.missing() == ["Chromium"]


def test_a_chromium_is_installed_where_there_is_none(programs: Path) -> None:
    program(programs, "node", ": > chromium.part")
    program(programs, "npm")
    PAGE.make()
    assert "--omit" not in arguments(programs, "npm")
    packed = "node_modules/@sparticuz/chromium/bin/chromium.br"
    assert arguments(programs, "node").split()[1:] == [packed, "chromium.part"]
    assert npm_packages.chromium() == str(npm_packages.folder() / "chromium")
    assert PAGE.missing() == []


def test_one_on_the_search_path_is_used(programs: Path) -> None:
    for name in ("node", "npm", "chromium"):
        program(programs, name)
    PAGE.make()
    assert npm_packages.chromium() == str(programs / "chromium")
    assert not (programs / "node.arguments").exists()


def test_playwrights_own_comes_first(programs: Path) -> None:
    pytest.importorskip("playwright")
    from importlib.util import find_spec

    program(programs, "chromium")
    package = find_spec("playwright")
    assert package is not None and package.origin is not None
    listed = Path(package.origin).parent / "driver" / "package" / "browsers.json"
    revision = next(
        each["revision"]
        for each in json.loads(listed.read_text())["browsers"]
        if each["name"] == "chromium-headless-shell"
    )
    folder = Path(os.environ["PLAYWRIGHT_BROWSERS_PATH"]) / f"chromium_headless_shell-{revision}"
    folder.mkdir(parents=True)
    assert npm_packages.chromium() == str(programs / "chromium")
    (folder / "INSTALLATION_COMPLETE").touch()
    assert npm_packages.chromium() == ""


def test_a_failure_of_npm_is_one_line_and_leaves_nothing_that_counts(programs: Path) -> None:
    program(programs, "node")
    program(programs, "npm", "mkdir npm-cache\necho npm error no network >&2\nexit 1")
    with pytest.raises(CannotRun, match=r"^npm ci fails in .*: npm error no network$"):
        NODE.make()
    assert not (npm_packages.folder() / "npm-cache").exists()
    assert NODE.missing() == ["onnxruntime-node"]

"""python -m compare runtimes: every runtime, what it exposes, and what installs the missing ones."""

from importlib import metadata
from itertools import takewhile
from pathlib import Path

import pytest

from compare.cli.runtimes import as_markdown, install_runtime, options_as_markdown
from compare.processes.virtual_environment import VirtualEnvironment
from compare.runtimes.npm_packages import NpmPackages, folder
from compare.runtimes.registry import BUILT_IN, spec_of
from export.errors import BadInput
from tests.helpers import fakes
from tests.helpers.commands import command

DOCS = Path(__file__).parents[3] / "docs"


def test_runtimes_lists_all_with_what_installs_the_missing(tmp_path: Path) -> None:
    fakes.install(tmp_path)
    run = command("runtimes", PYTHONPATH=str(tmp_path))
    assert run.returncode == 0
    table = list(takewhile(lambda line: " is missing " not in line, run.stdout.splitlines()))
    assert max(map(len, table)) <= 80
    rows = {line.split()[0]: line for line in table}
    assert {spec.name for spec in BUILT_IN} | {"absent"} <= set(rows)
    assert rows["torch-sdpa"].split()[-4:] == ["float32", "every", "tap", "yes"]
    for name, engine, package in (("onnxruntime", "ONNX Runtime {}", "onnxruntime"), ("jax", "XLA (jax {})", "jax")):
        assert f" {engine.format(metadata.version(package))} " in rows[name]
    assert " missing " in rows["absent"]
    assert "absent is missing no_such_package_9: pip install absent\n" in run.stdout
    assert "another library and are not timed: numpy-reference.\n" in run.stdout
    usual = "torch-eager, torch-sdpa, torch-reference, numpy-reference, onnxruntime, optimum"
    assert f"Without --runtimes, a comparison runs {usual}" in run.stdout


def test_the_docs_have_the_tables_of_the_registry() -> None:
    docs = (DOCS / "runtimes.md").read_text()
    tables = as_markdown(), options_as_markdown()
    assert all(f"\n\n{table}\n\n" in docs for table in tables)
    assert command("runtimes", "--markdown").stdout == "\n\n".join(tables) + "\n"


def test_what_a_runtime_needs_besides_python_packages_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[NpmPackages] = []
    monkeypatch.setattr(NpmPackages, "make", lambda self, progress: made.append(self))
    assert install_runtime("onnxruntime-node") == f"onnxruntime-node is installed in {folder()}"
    assert made == [NpmPackages("onnxruntime-node")]


def test_an_environment_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[VirtualEnvironment] = []
    monkeypatch.setattr(VirtualEnvironment, "make", lambda self, progress: made.append(self))
    own = spec_of("mnn").environment
    assert install_runtime("mnn") == f"mnn is installed in {own.folder}"
    assert made == [own]


def test_a_runtime_of_python_packages_alone_is_not_installed_here() -> None:
    with pytest.raises(BadInput, match="runtime onnx-reference needs Python packages alone; install it with: pip inst"):
        install_runtime("onnx-reference")

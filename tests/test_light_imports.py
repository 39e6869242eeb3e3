"""Check that `import compare`, `--help` and cache look-ups do not import heavy libraries."""

import subprocess
import sys
from pathlib import Path

import pytest

from compare.runtimes.spec import CHILD_REQUIREMENTS
from tests.helpers.imports import loaded_by

ROOT = Path(__file__).parents[1]


def help_of(module: str, *command: str) -> str:
    return (
        f"import runpy, sys; sys.argv = {['x', *command, '--help']!r}\n"
        f"try: runpy.run_module({module!r}, run_name='__main__')\nexcept SystemExit as end: assert not end.code"
    )


@pytest.mark.parametrize(
    "code",
    [
        "import compare",
        "import export",
        "import compare.battery.kernels.registry",
        help_of("compare"),
        help_of("export"),
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert loaded_by(code) == []


def test_help_of_a_command_loads_what_typer_loads_alone() -> None:
    assert loaded_by(help_of("compare", "battery")) == ["pydantic"]


def test_showing_a_report_loads_its_schema_alone() -> None:
    names = ("terminal", "full", "quiet", "markdown", "pytest_benchmark")
    renderers = ", ".join(f"compare.report.render.{name}" for name in names)
    assert loaded_by(f"import {renderers}") == ["pydantic"]


def test_a_comparison_leaves_frameworks_to_its_children() -> None:
    assert not {"torch", "transformers", "onnxruntime"} & set(loaded_by("import compare.pipeline.compare_model"))


def test_processes_of_runtimes_import_what_their_own_environments_have() -> None:
    """An environment of a runtime's own has CHILD_REQUIREMENTS, in the versions of constraints.txt."""
    children = (
        "compare.latency.worker, compare.runtimes.converter, compare.runtimes.onnx_inputs, compare.runtimes.tracer"
    )
    imported = "{name.partition('.')[0] for name, module in sys.modules.items() if getattr(module, '__spec__', None)}"
    names = f"{imported} - set(sys.stdlib_module_names)"
    code = f"import sys; before = {names}; import {children}; print(*sorted({names} - before))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    required = {requirement.partition("==")[0] for requirement in CHILD_REQUIREMENTS}
    assert set(run.stdout.split()) == required | {"compare", "export"}
    assert set(CHILD_REQUIREMENTS) <= set((ROOT / "constraints.txt").read_text().splitlines())


@pytest.mark.parametrize("name", ["torch", "pydantic"])
def test_the_check_can_fail(name: str) -> None:
    assert name in loaded_by(f"import compare, {name}; {name}.__version__")


def test_a_look_up_loads_no_framework(entry, tiny_folder: Path) -> None:
    code = f"import sys; from export.exporting import exported; print(exported({str(tiny_folder)!r}).folder)"
    assert loaded_by(code) == []

"""python -m compare runtimes: every runtime, and what installs the missing ones."""

from pathlib import Path

from compare.runtimes.registry import BUILT_IN
from tests.helpers import fakes
from tests.helpers.commands import command


def test_runtimes_lists_all_with_what_installs_the_missing(tmp_path: Path) -> None:
    fakes.install(tmp_path)
    run = command("runtimes", PYTHONPATH=str(tmp_path))
    assert run.returncode == 0
    lines = {line.split()[0]: line for line in run.stdout.splitlines()}
    assert {spec.name for spec in BUILT_IN} | {"absent"} <= set(lines)
    assert "missing no_such_package_9: pip install absent" in lines["absent"]
    assert " here " in lines["onnxruntime"]
    assert " hybrid " in lines["numpy-reference"]

"""Check that no test module imports another. Tests share code through `tests/helpers/` and fixtures."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent


def imported(source: str) -> Iterator[str]:
    """Return the names of all modules that a source imports, in functions too; for `from a import b`, a and a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules_of_tests(source: str) -> list[str]:
    """Return the modules imported by a source that pytest collects tests or reads fixtures from."""
    parts = {name: name.split(".") for name in imported(source) if name.partition(".")[0] == "tests"}
    return [name for name, (*_, last) in parts.items() if last.startswith("test_") or last == "conftest"]


def test_no_test_module_is_imported() -> None:
    found = {str(file.relative_to(TESTS)): modules_of_tests(file.read_text()) for file in TESTS.rglob("*.py")}
    assert {name: modules for name, modules in found.items() if modules} == {}


def test_one_that_is_imported_would_be_seen() -> None:
    lines = [
        "from tests.compare.test_traces import anything",
        "from tests.compare import test_traces",
        "import tests.conftest",
        "def f():\n    from tests.compare.conftest import COMPARED_TEXT",
    ]
    assert all(modules_of_tests(line) for line in lines)
    assert modules_of_tests("from tests.helpers.tiny import tiny_model\nimport compare.testing") == []

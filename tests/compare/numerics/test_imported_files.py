"""Test that the files found in import statements are those that Python imports."""

import subprocess
import sys
from pathlib import Path

import pytest

from compare.numerics.imported_files import imported_files

ROOT = Path(__file__).parents[3]


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with packages for every form of import statement."""
    for name in ("compare/__init__", "compare/a", "compare/b", "export/__init__", "export/c", "export/d", "other/e"):
        file = tmp_path / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("import numpy, other.e", []),
        ("import compare.b, export.c as c", ["compare.b", "export.c"]),
        ("from compare import b", ["compare.b"]),
        ("from compare.b import anything", ["compare.b"]),
        ("from compare import anything", ["compare"]),
        ("from . import b", ["compare.b"]),
        ("from .b import anything", ["compare.b"]),
        ("from export import (\n    c,\n    d,\n)", ["export.c", "export.d"]),
        ("def f():\n    try:\n        import json\n    except ImportError:\n        import export.c", ["export.c"]),
        ("class C:\n    def f(self):\n        with x:\n            from export import c", ["export.c"]),
        ("match x:\n    case 1:\n        import export.c", ["export.c"]),
        ("try:\n    pass\nfinally:\n    import export.c", ["export.c"]),
        ("if TYPE_CHECKING:\n    import export.c\nelse:\n    import export.d", ["export.d"]),
        ("'import export.c'  # import export.d", []),
    ],
)
def test_every_import_statement_counts(packages: Path, source: str, imported: list[str]) -> None:
    (packages / "compare" / "a.py").write_text(source)
    assert list(imported_files("compare.a", packages)) == sorted(["compare.a", *imported])


def test_imports_of_imports_count_and_circles_end(packages: Path) -> None:
    (packages / "compare" / "a.py").write_text("import compare.b")
    (packages / "compare" / "b.py").write_text("import export.c")
    (packages / "export" / "c.py").write_text("import compare.a")
    found = imported_files("compare.a", packages)
    assert found == {
        "compare.a": packages / "compare" / "a.py",
        "compare.b": packages / "compare" / "b.py",
        "export.c": packages / "export" / "c.py",
    }


def test_a_module_that_is_not_there_is_named(packages: Path) -> None:
    (packages / "compare" / "a.py").write_text("import compare.gone")
    with pytest.raises(FileNotFoundError, match=r" has no module compare\.gone$"):
        imported_files("compare.a", packages)


def test_what_python_imports_is_found() -> None:
    """The result has all modules that importing the weigher adds to those of `import compare`, without packages."""
    code = (
        "import sys, compare, export; before = set(sys.modules)\n"
        "import compare.numerics.weigher\n"
        "new = [module for name, module in sys.modules.items() if name not in before]\n"
        "own = [module for module in new if module.__name__.partition('.')[0] in ('compare', 'export')]\n"
        "print(*(module.__name__ for module in own if not hasattr(module, '__path__')))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "compare.numerics.errors" in loaded
    assert loaded <= set(imported_files("compare.numerics.weigher", ROOT))

"""Finds the source files of this project that a module imports, directly or through other modules.

They are read from the import statements, so that the answer does not depend on what a process has imported so far.
"""

import ast
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

#: The packages of this project. Modules of other packages are left out.
_OWN = ("compare", "export")


def imported_files(module: str, root: Path) -> dict[str, Path]:
    """The file of a module and those of all modules of this project that it imports, by the modules' names.

    root: the folder that holds the packages. Imports inside functions count. Those for type checkers alone do not,
    and neither does the `__init__.py` of a package from which nothing but its modules is imported.
    Raises FileNotFoundError for a module that is not there.

    >>> list(imported_files("compare.numerics.errors", Path(__file__).parents[2]))
    ['compare.numerics.errors', 'compare.results.precisions', 'compare.numerics.tensors']
    """
    files: dict[str, Path] = {}
    left = [module]
    while left:
        name = left.pop()
        if name in files:
            continue
        file = _file_of(name, root)
        if file is None:
            raise FileNotFoundError(f"{root} has no module {name}")
        files[name] = file
        left += _imported(name, file, root)
    return dict(sorted(files.items()))


def _file_of(name: str, root: Path) -> Path | None:
    place = root.joinpath(*name.split("."))
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def _imported(name: str, file: Path, root: Path) -> Iterator[str]:
    """The modules of this project that a module imports itself."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for statement in _statements(ast.parse(file.read_bytes())):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names if _is_own(alias.name))
        elif isinstance(statement, ast.ImportFrom):
            source = resolve_name("." * statement.level + (statement.module or ""), package)
            if _is_own(source):
                for alias in statement.names:
                    inner = f"{source}.{alias.name}"
                    yield source if _file_of(inner, root) is None else inner


def _is_own(name: str) -> bool:
    return name.partition(".")[0] in _OWN


def _statements(block: ast.AST) -> Iterator[ast.AST]:
    """All statements in a block, those of nested blocks too, but for those that only type checkers see."""
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        if name == "body" and isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING"):
            continue
        for statement in getattr(block, name, ()):
            yield statement
            yield from _statements(statement)

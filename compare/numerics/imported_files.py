"""Find the source files of this project that a module imports, directly or through other modules.

The import statements are parsed, so the result does not depend on what the process has imported so far.
"""

import ast
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

#: The packages of this project. Modules of other packages are left out.
_OWN = ("compare", "export")


def imported_files(module: str, root: Path) -> dict[str, Path]:
    """Return the files of a module and of all modules of this project that it imports, by module name.

    root: the folder that holds the packages. Imports inside functions are included; imports under `TYPE_CHECKING` are
    not. A package's `__init__.py` is included only if a name that is not a module is imported from the package.
    Raises `FileNotFoundError` if a module has no file.

    >>> list(imported_files("compare.numerics.errors", Path(__file__).parents[2]))
    ['compare.numerics.blocks', 'compare.numerics.errors', 'compare.numerics.tensors']
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
    """Yield the modules of this project that a module imports directly."""
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
    """Yield all statements in a block and its nested blocks, except those under `TYPE_CHECKING`."""
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        if name == "body" and isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING"):
            continue
        for statement in getattr(block, name, ()):
            yield statement
            yield from _statements(statement)

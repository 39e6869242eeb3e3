"""The folders in which the command of a case runs, and what it changed in them."""

import getpass
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hostile_cases.case import Case
from benchmarks.hostile_cases.stock import Stock

#: An address of a hub at which nobody answers, so that no case depends on the network.
_NO_HUB = "http://127.0.0.1:9"

#: The variable that all processes of a case have.
MARK = "HOSTILE_CASE"

#: What other software makes: torch for what it compiles, and rustc when pip asks for its version.
_FREE = (f"tmp/torchinductor_{getpass.getuser()}", "home/.rustup")

#: What identifies the state of a file: kind and mode, size, modification time, and the target of a link.
State = tuple[int, int, int, str]


@dataclass(frozen=True)
class Sandbox:
    """A working folder with the files of a case, a home, a folder for temporary files, and a cache.

    Only the cache, and what the case names, may be changed.
    """

    folder: Path

    @property
    def work(self) -> Path:
        """The working folder."""
        return self.folder / "work"

    @property
    def cache(self) -> Path:
        """The folder of the cache."""
        return self.folder / "cache"

    def environment(self, case: Case) -> dict[str, str | bytes]:
        """Return the variables of the command."""
        usual: dict[str, str | bytes | None] = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "LANG": "C.UTF-8",
            "ONNX_ATTENTION_COMPARE_CACHE": str(self.cache),
            "HF_ENDPOINT": _NO_HUB,
            "PYTHON": sys.executable,
            MARK: str(self.folder),
        }
        return {name: value for name, value in (usual | dict(case.environment)).items() if value is not None}

    def state(self, case: Case) -> dict[str, State]:
        """Return path -> state of everything that must not be changed."""
        free = (*(str(self.work / name) for name in case.writes), *(str(self.folder / name) for name in _FREE))
        found = {}
        for part in ("work", "home", "tmp"):
            for path in _under(self.folder / part):
                if not any(path == name or path.startswith(f"{name}/") for name in free):
                    found[os.path.relpath(path, self.folder)] = _state(path)
        return found


@contextmanager
def sandbox(case: Case, folder: Path, stock: Stock) -> Iterator[Sandbox]:
    """Make the folders and the files of a case, and remove them at the end. folder: does not exist yet."""
    made = Sandbox(folder)
    for part in ("work", "home", "tmp", "cache"):
        (folder / part).mkdir(parents=True)
    try:
        for name in case.needs:
            stock.give(name, made.cache)
        case.make(made.work)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def changes(before: dict[str, State], after: dict[str, State]) -> list[str]:
    """Return what differs between two states, in words.

    >>> changes({"work/a": (1, 2, 3, "")}, {"work/b": (1, 2, 3, "")})
    ['work/a is gone', 'work/b is new']
    """
    said = []
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            what = "is new" if path not in before else "is gone" if path not in after else "was changed"
            said.append(f"{path} {what}")
    return said


def _under(folder: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield os.path.join(place, name)  # noqa: PTH118 (Path would normalize names)


def _state(path: str) -> State:
    found = os.lstat(path)
    target = str(Path(path).readlink()) if stat.S_ISLNK(found.st_mode) else ""
    size, changed = (0, 0) if stat.S_ISDIR(found.st_mode) else (found.st_size, found.st_mtime_ns)
    return found.st_mode, size, changed, target

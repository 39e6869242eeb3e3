"""Virtual environments in the cache, for packages that are not installed together with this project."""

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from export.cache import cache_root
from export.errors import BadInput, CannotRun
from export.outside import reason
from export.progress import SILENT, Progress

#: The folder of the cache that holds what `python -m compare runtimes --install` installs.
ENVIRONMENTS = "environments"

#: The file that is written last, with the requirements.
_COMPLETE = "complete"


@dataclass(frozen=True)
class VirtualEnvironment:
    """A virtual environment with packages of its own, in the cache (`export.cache.cache_root`).

    name: the name of its folder.
    requirements: what pip installs, each with its version, such as "numpy==2.4.6".
    """

    name: str
    requirements: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Its folder, whether it exists or not."""
        return cache_root() / ENVIRONMENTS / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def runs_this(self) -> bool:
        """Whether the current process runs in it."""
        return Path(sys.prefix).parts[-2:] == (ENVIRONMENTS, self.name)

    @property
    def is_made(self) -> bool:
        """Whether it exists with all of its requirements in their present versions."""
        complete = self.folder / _COMPLETE
        return complete.is_file() and complete.read_text() == self._listed()

    def make(self, progress: Progress = SILENT) -> None:
        """Make it with pip if it does not exist yet, or if its requirements have changed.

        progress: has a stage, also while another process makes the same environment. Raises `CannotRun` with the last
        line of pip if a requirement cannot be installed; nothing of the environment is left then. Raises `BadInput` if
        the cache cannot be written.
        """
        progress.stage("environment", f"{self.name} is installed in {self.folder}")
        with progress.ticking(), locked(self.folder):
            if self.is_made:
                return
            try:
                venv.create(self.folder, with_pip=True, clear=True, symlinks=True)
            except subprocess.CalledProcessError as error:  # some systems have Python without ensurepip
                shutil.rmtree(self.folder, ignore_errors=True)
                raise CannotRun(
                    f"Python cannot make a virtual environment with pip ({error}); install its package for that, such "
                    "as python3-venv of Debian"
                ) from error
            install = [str(self.python), "-m", "pip", "install", "--quiet", "--no-input", *self.requirements]
            run = subprocess.run(install, capture_output=True, encoding="utf-8", errors="replace")
            if run.returncode != 0:
                shutil.rmtree(self.folder)
                said = run.stderr.strip().splitlines() or [f"exit code {run.returncode}"]
                raise CannotRun(f"pip cannot install {' '.join(self.requirements)}: {said[-1]}")
            (self.folder / _COMPLETE).write_text(self._listed())

    def _listed(self) -> str:
        return "".join(f"{requirement}\n" for requirement in self.requirements)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of one of the environments in the cache, and make the folder of all of them.

    Raises `BadInput` if the cache cannot be written.
    """
    from filelock import FileLock

    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise BadInput(
            f"the cache folder {folder.parent} cannot be written: {reason(error)}; set ONNX_ATTENTION_COMPARE_CACHE to "
            "another folder"
        ) from error
    try:
        yield
    finally:
        lock.release()

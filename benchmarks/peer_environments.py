"""Virtual environments for the libraries that benchmarks compare with, made from lists of pinned packages."""

import hashlib
import subprocess
import venv
from pathlib import Path

from export.cache import cache_root


def peer_python(packages: Path) -> Path:
    """Return the interpreter of an environment with the packages of a list, which is made if it does not exist.

    packages: the file with the list. The environment is in the cache under the digest of the list, so each list has its
    own. Raises `CalledProcessError` if a package cannot be installed.
    """
    folder = cache_root(None) / "peers" / hashlib.sha256(packages.read_bytes()).hexdigest()[:12]
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", packages], check=True)
        (folder / "complete").touch()
    return python

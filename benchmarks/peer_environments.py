"""An environment of their own for the neighbours that we are measured against, made from a list of pinned packages."""

import hashlib
import subprocess
import venv
from pathlib import Path

from export.cache import cache_root


def peer_python(packages: Path) -> Path:
    """The interpreter of an environment with the packages listed in a file; made where it is not there yet.

    It lies in the cache under the digest of the list, so another list is another environment. Raises
    CalledProcessError where a package cannot be had.
    """
    folder = cache_root(None) / "peers" / hashlib.sha256(packages.read_bytes()).hexdigest()[:12]
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", packages], check=True)
        (folder / "complete").touch()
    return python

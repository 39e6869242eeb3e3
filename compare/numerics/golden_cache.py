"""Golden and floors kept between runs: `cache/golden/<key>/`, each whole or absent, all of them bounded in size.

The key is a digest of all that decides them: weights, ids and mask, number of threads, processor, versions, and the
source of what makes them, so that an older one is never taken for what would be made today.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from compare import machine
from compare.numerics.imported_files import imported_files
from compare.numerics.tensors import Tensor
from export.cache import MANIFEST

#: What all that is kept may take together. distilgpt2 on 128 tokens takes some 80 MB. Bytes.
LIMIT = 2 * 10**9

_FACTS = "kept.json"

#: The module that makes golden and floors. What it imports decides them too.
_MAKER = "compare.numerics.weigher"

#: The folder that holds this project's packages.
_ROOT = Path(__file__).parents[2]


def key_of(model: Path, tensors: Iterable[Tensor], threads: int) -> str | None:
    """Sixteen hexadecimal digits; None for a folder that is no entry of the cache, whose weights have no digest.

    model: the entry's folder. tensors: ids and mask.
    """
    manifest = model / MANIFEST
    if not manifest.is_file():
        return None
    files = json.loads(manifest.read_text())["files"]
    digest = hashlib.sha256()
    for name in sorted(name for name in files if not name.endswith(".onnx")):
        digest.update(f"{name} {files[name]['sha256']}".encode())
    for tensor in tensors:
        digest.update(f"{tensor.shape} {tensor.dtype}".encode())
        digest.update(tensor.tobytes())
    versions = [metadata.version(package) for package in ("numpy", "torch", "transformers")]
    digest.update(json.dumps([threads, machine.processor(), versions]).encode())
    digest.update(source_digest(_ROOT).encode())
    return digest.hexdigest()[:16]


def source_digest(root: Path) -> str:
    """The digest of the source that makes golden and floors: of their module and all that it imports.

    root: the folder that holds the packages.
    """
    digest = hashlib.sha256()
    for name, file in imported_files(_MAKER, root).items():
        content = file.read_bytes()
        digest.update(f"{name} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()


def take(root: Path, key: str, out: Path) -> dict[str, Any] | None:
    """Put what is kept under a key into a folder, and give what was noted with it; None where nothing whole is there.

    A file that is not what it was when it was kept makes the whole be forgotten.
    """
    folder = root / key
    try:
        kept = json.loads((folder / _FACTS).read_text())
        out.mkdir(parents=True, exist_ok=True)
        for name, digest in kept["files"].items():
            _link(folder / name, out / name)
            if _sha256(out / name) != digest:
                raise ValueError(name)
    except (OSError, ValueError) as error:
        shutil.rmtree(out, ignore_errors=True)  # nobody is to write into a file that has another name
        if isinstance(error, ValueError):
            shutil.rmtree(folder, ignore_errors=True)
        return None  # never kept, given up for something newer meanwhile, unreadable or damaged
    with suppress(OSError):  # of a cache that is read-only nothing is given up
        os.utime(folder)
    noted: dict[str, Any] = kept["noted"]
    return noted


def put(root: Path, key: str, made: Path, noted: dict[str, Any], *, limit: int = LIMIT) -> None:
    """Keep the files of a folder, and what is to be noted with them; the oldest give way where all is too much.

    What cannot be kept, because the disk is full or read-only, is not: it is made again next time.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".", dir=root))
    except OSError:
        return
    try:
        for file in made.iterdir():
            _link(file, building / file.name)
        digests = {file.name: _sha256(file) for file in building.iterdir()}
        (building / _FACTS).write_text(json.dumps({"noted": noted, "files": digests}))
        building.rename(root / key)
    except OSError:  # another run was first, among others
        shutil.rmtree(building, ignore_errors=True)
    _bound(root, limit)


def _bound(root: Path, limit: int) -> None:
    """Forget what was used longest ago until the rest fits."""
    kept = [folder for folder in root.iterdir() if (folder / _FACTS).is_file()]
    sizes = {folder: sum(file.stat().st_size for file in folder.iterdir()) for folder in kept}
    for folder in sorted(kept, key=lambda folder: folder.stat().st_mtime):
        if sum(sizes.values()) <= limit:
            break
        shutil.rmtree(folder, ignore_errors=True)
        del sizes[folder]


def _link(source: Path, target: Path) -> None:
    """One more name for the same file where the disk has such, else a copy. Nobody changes these files in place."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""A cache of golden and floors between runs, in `cache/golden/<key>/`.

Entries are stored completely or not at all, and their total size is limited. The key is a digest of everything that the
numbers depend on: weights, ids and mask, number of threads, processor, versions, and the source code that computes
them. So if that code changes, older entries are not used.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from compare import machine
from compare.numerics.imported_files import imported_files
from compare.numerics.tensors import Tensor
from export.cache import MANIFEST

#: The folder of golden runs in the cache.
GOLDEN_RUNS = "golden"

#: The largest total size in bytes. distilgpt2 on 128 tokens takes some 80 MB.
LIMIT = 2 * 10**9

_FACTS = "kept.json"

#: The module that computes golden and floors. They also depend on the modules that it imports.
_MAKER = "compare.numerics.weigher"

#: The folder that holds this project's packages.
_ROOT = Path(__file__).parents[2]


def key_of(model: Path, tensors: Iterable[Tensor], threads: int) -> str | None:
    """Return the key for a model on an input, 16 hexadecimal digits; None if the folder has no manifest with digests.

    model: the model's entry in the cache. tensors: ids and mask. threads: the number of threads.
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
    """Return the digest of the source that makes golden and floors: their module and all modules that it imports.

    root: the folder that holds the packages.
    """
    digest = hashlib.sha256()
    for name, file in imported_files(_MAKER, root).items():
        content = file.read_bytes()
        digest.update(f"{name} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()


def take(root: Path, key: str, out: Path) -> dict[str, Any] | None:
    """Copy the files of an entry into a folder and return its note; None if there is no intact entry.

    root: the cache's folder. key: the entry's key. out: the folder for the files. If a file has changed since it was
    stored, the entry is removed.
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
        shutil.rmtree(out, ignore_errors=True)  # these files may be links, and writing to one would change the entry
        if isinstance(error, ValueError):
            shutil.rmtree(folder, ignore_errors=True)
        return None  # the entry is absent, was removed meanwhile, or is unreadable or damaged
    with suppress(OSError):  # the cache may be read-only; then no entry is ever removed
        os.utime(folder)
    noted: dict[str, Any] = kept["noted"]
    return noted


def put(root: Path, key: str, made: Path, noted: dict[str, Any], *, limit: int = LIMIT) -> None:
    """Store the files of a folder and a note as an entry, then remove the least recently used entries beyond the limit.

    root: the cache's folder. key: the entry's key. made: the folder with the files. noted: the note, which `take`
    returns. limit: the largest total size in bytes. If the disk is full or read-only, nothing is stored.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        building = root / f".{os.getpid()}-{secrets.token_hex(4)}"
        building.mkdir()  # a folder of tempfile is only for its owner, whatever the umask says
    except OSError:
        return
    try:
        for file in made.iterdir():
            _link(file, building / file.name)
        digests = {file.name: _sha256(file) for file in building.iterdir()}
        (building / _FACTS).write_text(json.dumps({"noted": noted, "files": digests}))
        building.rename(root / key)
    except OSError:  # for example, another run has stored the same entry
        shutil.rmtree(building, ignore_errors=True)
    _bound(root, limit)


def stored(root: Path) -> list[Path]:
    """Return the folders of all entries, the least recently used first. root: the cache's folder."""
    if not root.is_dir():
        return []
    kept = [folder for folder in root.iterdir() if (folder / _FACTS).is_file()]
    return sorted(kept, key=lambda folder: folder.stat().st_mtime)


def _bound(root: Path, limit: int) -> None:
    """Remove the least recently used entries until the rest is within the limit."""
    kept = stored(root)
    sizes = {folder: sum(file.stat().st_size for file in folder.iterdir()) for folder in kept}
    for folder in kept:
        if sum(sizes.values()) <= limit:
            break
        shutil.rmtree(folder, ignore_errors=True)
        del sizes[folder]


def _link(source: Path, target: Path) -> None:
    """Make a hard link, or a copy if the file system has no links. These files are never changed in place."""
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

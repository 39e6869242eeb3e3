"""The cache of exported models: `cache/models/<name>-<key>/`, each whole or absent.

An entry is built in a hidden folder beside its place and published by one rename under a lock, so nobody ever sees half
of one. Its manifest holds what it was made from and the size and SHA-256 of every file. A look-up compares sizes and
times and hashes what differs; `verify` hashes everything. Importing this loads neither torch nor onnx.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from export.errors import BadInput
from export.sources import Source

ENVIRONMENT_VARIABLE = "ONNX_ATTENTION_COMPARE_CACHE"
MANIFEST = "manifest.json"
SCHEMA = 1


@dataclass(frozen=True)
class FileRecord:
    """One file of an entry: bytes, nanoseconds since the epoch, hexadecimal digest."""

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What an entry was made from, what it holds, and what its model looks like.

    fingerprint: size and modification time of the source folder's files, which spare a look-up reading them again.
    """

    source: Source
    exporter: str
    opset: int
    versions: dict[str, str]
    model: dict[str, Any]
    fingerprint: dict[str, list[int]] = field(default_factory=dict)
    files: dict[str, FileRecord] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    schema: int = SCHEMA


@dataclass(frozen=True)
class Entry:
    """An exported model in the cache: a folder that ONNX runtimes and transformers both load from."""

    folder: Path
    manifest: Manifest

    @property
    def bytes(self) -> int:
        return sum(record.size for record in self.manifest.files.values())


def cache_root(cache_dir: Path | None = None) -> Path:
    """The cache's folder: the one given, else the environment's, else the checkout's, else the user's."""
    if cache_dir is not None:
        return cache_dir.expanduser()
    if named := os.environ.get(ENVIRONMENT_VARIABLE):
        return Path(named).expanduser()
    checkout = Path(__file__).resolve().parent.parent / "cache"
    if (checkout / "CACHEDIR.TAG").is_file():
        return checkout
    from platformdirs import user_cache_path

    return user_cache_path("onnx-attention-compare")


def entries(root: Path) -> list[Entry]:
    """All entries of a cache, newest first. A folder whose manifest cannot be read is passed over."""
    found = []
    for manifest in (root / "models").glob(f"[!.]*/{MANIFEST}"):
        try:
            found.append(Entry(manifest.parent, _read(manifest)))
        except (ValueError, TypeError, KeyError):
            continue
    return sorted(found, key=lambda entry: entry.manifest.created, reverse=True)


def matching(root: Path, pattern: str) -> Iterator[Entry]:
    """Entries whose folder, model name or origin is the pattern."""
    for entry in entries(root):
        if pattern in (entry.folder.name, entry.manifest.source.name, entry.manifest.source.origin):
            yield entry


def look_up(root: Path, name: str, key: str) -> Entry | None:
    """The entry of that name and key, its files checked by size and time, or None. Raises `BadInput` if one changed."""
    folder = root / "models" / f"{name}-{key}"
    if not (folder / MANIFEST).is_file():
        return None
    return checked(Entry(folder, _read(folder / MANIFEST)))


def checked(entry: Entry) -> Entry:
    """The entry itself, if its files are as the manifest says; a file whose size or time differs is hashed.

    Raises `BadInput` that names the file and the command that mends it.
    """
    for name, record in entry.manifest.files.items():
        _check_size(entry, name)
        if (entry.folder / name).stat().st_mtime_ns != record.mtime_ns:
            _check_digest(entry, name)
    return entry


def verify(entry: Entry) -> None:
    """Hash every file of an entry. Raises `BadInput` that names the first one that changed."""
    for name in entry.manifest.files:
        _check_size(entry, name)
        _check_digest(entry, name)


def remove(entry: Entry) -> None:
    """Delete an entry: it vanishes by one rename, then its files go."""
    doomed = entry.folder.with_name(f".removed-{entry.folder.name}-{os.getpid()}")
    entry.folder.rename(doomed)
    shutil.rmtree(doomed)


def publish(root: Path, name: str, key: str, build: Callable[[Path], Manifest]) -> Entry:
    """Build an entry and publish it, unless another process just did: the lock makes that process's work ours.

    `build` fills the empty folder that it is given and returns the manifest without its files.
    """
    from filelock import FileLock

    models = root / "models"
    _make_root(root)
    with FileLock(models / f".{name}-{key}.lock"):
        if (entry := look_up(root, name, key)) is not None:
            return entry
        for leftover in models.glob(f".{name}-{key}.building-*"):  # of a process that died here
            shutil.rmtree(leftover)
        building = models / f".{name}-{key}.building-{os.getpid()}"
        building.mkdir()
        try:
            manifest = build(building)
            files = {path.name: _record(path) for path in sorted(building.iterdir())}
            text = json.dumps(asdict(manifest) | {"files": {n: asdict(r) for n, r in files.items()}}, indent=2)
            (building / MANIFEST).write_text(text + "\n")
            building.rename(models / f"{name}-{key}")
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return Entry(models / f"{name}-{key}", _read(models / f"{name}-{key}" / MANIFEST))


def fingerprint(files: list[Path]) -> dict[str, list[int]]:
    """Name -> size and modification time: equal fingerprints of one folder are taken to mean equal files."""
    return {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in files}


def _make_root(root: Path) -> None:
    try:
        (root / "models").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"the cache folder {root} cannot be written: {error.strerror}; give another: --cache-dir FOLDER"
        ) from error
    tag = root / "CACHEDIR.TAG"
    if not tag.exists():
        tag.write_text("Signature: 8a477f597d28d172789f06886806bc55\n")


def _read(manifest: Path) -> Manifest:
    data = json.loads(manifest.read_text())
    if data["schema"] != SCHEMA:
        raise BadInput(
            f"{manifest.parent.name} was written under cache schema {data['schema']}, this is {SCHEMA}; "
            f"remove it: python -m export --remove {manifest.parent.name}"
        )
    source = Source(**data.pop("source"))
    files = {name: FileRecord(**record) for name, record in data.pop("files").items()}
    return Manifest(source=source, files=files, **data)


def _record(path: Path) -> FileRecord:
    stat = path.stat()
    return FileRecord(stat.st_size, stat.st_mtime_ns, _sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_size(entry: Entry, name: str) -> None:
    path, record = entry.folder / name, entry.manifest.files[name]
    size = path.stat().st_size if path.is_file() else None
    if size != record.size:
        found = "is gone" if size is None else f"has {size:,} bytes"
        raise _changed(entry, f"{name} {found}, the manifest says {record.size:,} bytes")


def _check_digest(entry: Entry, name: str) -> None:
    digest = _sha256(entry.folder / name)
    expected = entry.manifest.files[name].sha256
    if digest != expected:
        raise _changed(entry, f"{name} has SHA-256 {digest[:12]}..., the manifest says {expected[:12]}...")


def _changed(entry: Entry, what: str) -> BadInput:
    return BadInput(
        f"the cache entry {entry.folder.name} has changed since it was exported: {what}. "
        f"Remove it and it is exported again: python -m export --remove {entry.folder.name}"
    )

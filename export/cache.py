"""The cache of exported models: one folder `cache/models/<name>-<key>/` for each.

An entry is built in a hidden folder next to its final location and published by one rename under a lock, so no process
sees an incomplete entry. Its manifest records the source of the model, and the size and SHA-256 of every file. A
look-up compares sizes and modification times, and hashes a file if these differ; `verify` hashes every file. Importing
this module loads neither torch nor onnx.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from export.disk import writing
from export.errors import BadInput, first_line
from export.manifest import FileRecord, Manifest, OtherSchema, manifest_of
from export.progress import SILENT, Progress

ENVIRONMENT_VARIABLE = "ONNX_ATTENTION_COMPARE_CACHE"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """An exported model in the cache: a folder that both ONNX runtimes and transformers can load.

    note: why the entry was used without its source, or None if the source was available.
    """

    folder: Path
    manifest: Manifest
    note: str | None = field(default=None, compare=False)

    @property
    def notes(self) -> list[str]:
        """The notes that every report on this model shows."""
        own = [] if self.note is None else [self.note]
        return [*own, *self.manifest.checkpoint.notes(), *self.manifest.notes]

    @property
    def bytes(self) -> int:
        return sum(record.size for record in self.manifest.files.values())


def cache_root(cache_dir: Path | None = None) -> Path:
    """Return the cache's folder: `cache_dir`, else the environment variable's, else the checkout's, else the user's."""
    if cache_dir is not None:
        return cache_dir.expanduser()
    if named := os.environ.get(ENVIRONMENT_VARIABLE):
        return Path(named).expanduser()
    checkout = Path(__file__).resolve().parent.parent / "cache"
    if (checkout / "CACHEDIR.TAG").is_file():
        return checkout
    from platformdirs import user_cache_path

    return user_cache_path("onnx-attention-compare")


def folders(root: Path) -> list[Path]:
    """Return the folders of a cache that should be entries, sorted by name. Their manifests are not read."""
    return sorted(path for path in (root / "models").glob("[!.]*") if path.is_dir())


def entries(root: Path) -> list[Entry]:
    """Return all entries of a cache, newest first. Folders whose manifest cannot be read are skipped."""
    found = [entry for folder in folders(root) if isinstance(entry := _read(folder), Entry)]
    return sorted(found, key=lambda entry: entry.manifest.created, reverse=True)


def damaged(root: Path) -> dict[str, BadInput]:
    """Return the folders whose manifest cannot be read, as a dictionary of folder name -> the error that says why."""
    return {folder.name: error for folder in folders(root) if isinstance(error := _read(folder), BadInput)}


def matching(root: Path, pattern: str) -> Iterator[Entry]:
    """Yield the entries whose folder name, model name or origin equals the pattern."""
    for entry in entries(root):
        if pattern in (entry.folder.name, entry.manifest.source.name, entry.manifest.source.origin):
            yield entry


def look_up(root: Path, name: str, key: str) -> Entry | None:
    """Return the entry with this name and key after checking its files with `checked`, or None if there is none.

    Raises `BadInput` if a file, including the manifest, has changed.
    """
    folder = root / "models" / f"{name}-{key}"
    return checked(entry_in(folder)) if folder.is_dir() else None


def entry_in(folder: Path) -> Entry:
    """Return the entry in a folder of the cache without checking its files.

    Raises `BadInput` if its manifest is missing, damaged or of another schema; the message has the command to fix it.
    """
    entry = _read(folder)
    if isinstance(entry, BadInput):
        raise entry
    return entry


def checked(entry: Entry) -> Entry:
    """Check an entry's files against its manifest and return the entry.

    A file is hashed only if its modification time differs. Raises `BadInput` if a file has changed; the message names
    the file and the command to fix the entry.
    """
    for name, record in entry.manifest.files.items():
        _check_size(entry, name)
        if (entry.folder / name).stat().st_mtime_ns != record.mtime_ns:
            _check_digest(entry, name)
    return entry


def verify(entry: Entry) -> None:
    """Hash every file of an entry. Raises `BadInput`, which names the first file that has changed."""
    for name in entry.manifest.files:
        _check_size(entry, name)
        _check_digest(entry, name)


def publish(
    root: Path,
    name: str,
    key: str,
    build: Callable[[Path], Manifest],
    progress: Progress = SILENT,
) -> Entry:
    """Build an entry and publish it, or return the entry that another process published first.

    build: a function that fills an empty folder and returns the manifest without `files`.
    progress: has a stage while another process holds the lock, and a note if that process created the entry.
    Raises `CannotRun` if the disk is full, and `BadInput` if the cache cannot be written to.
    """
    with writing(root, "free some space, or give another cache folder with --cache-dir FOLDER"):
        return _published(root, name, key, build, progress)


def _published(root: Path, name: str, key: str, build: Callable[[Path], Manifest], progress: Progress) -> Entry:
    models = root / "models"
    _make_root(root)
    with _locked(models / f".{name}-{key}.lock", name, progress) as waited:
        if (entry := look_up(root, name, key)) is not None:
            if waited:
                progress.note(f"the other process exported it: {entry.folder.name}")
            return entry
        for leftover in models.glob(f".{name}-{key}.building-*"):  # left by a process that was killed while building
            shutil.rmtree(leftover)
        building = models / f".{name}-{key}.building-{os.getpid()}"
        building.mkdir()
        try:
            manifest = build(building)
            files = {path.name: _record(path) for path in sorted(building.iterdir())}
            (building / MANIFEST).write_text(replace(manifest, files=files).to_json(), encoding="utf-8")
            building.rename(models / f"{name}-{key}")
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return entry_in(models / f"{name}-{key}")


@contextmanager
def _locked(path: Path, name: str, progress: Progress) -> Iterator[bool]:
    """Hold a lock during the `with` block and yield whether it had to wait for it.

    name: the name of the model. progress: has a stage while it waits.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    waited = False
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.stage(f"waiting for another process that exports {name}")
        with progress.ticking():
            lock.acquire()
        waited = True
    try:
        yield waited
    finally:
        lock.release()


def fingerprint(folder: Path, files: list[Path]) -> dict[str, list[int]]:
    """Return file -> [size, modification time]. Files of a folder with equal fingerprints count as unchanged."""
    return {str(path.relative_to(folder)): [path.stat().st_size, path.stat().st_mtime_ns] for path in files}


def _make_root(root: Path) -> None:
    try:
        (root / "models").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"the cache folder {root} cannot be written: {error.strerror}; give another one with --cache-dir FOLDER"
        ) from error
    tag = root / "CACHEDIR.TAG"
    if not tag.exists():
        tag.write_text("Signature: 8a477f597d28d172789f06886806bc55\n")


def _read(folder: Path) -> Entry | BadInput:
    """Return the entry in a folder of the cache, or the error that says why it cannot be used."""
    try:
        return Entry(folder, manifest_of((folder / MANIFEST).read_bytes()))
    except FileNotFoundError:
        return _changed(folder, f"{MANIFEST} is missing")
    except OtherSchema as error:
        return BadInput(f"{folder.name} was {error}; remove it: python -m export --remove {folder.name}")
    except (OSError, ValueError) as error:
        return _changed(folder, f"{MANIFEST} cannot be read: {first_line(error)}")


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
        found = "is missing" if size is None else f"has {size:,} bytes"
        raise _changed(entry.folder, f"{name} {found}; the manifest says {record.size:,} bytes")


def _check_digest(entry: Entry, name: str) -> None:
    digest = _sha256(entry.folder / name)
    expected = entry.manifest.files[name].sha256
    if digest != expected:
        raise _changed(entry.folder, f"{name} has SHA-256 {digest[:12]}...; the manifest says {expected[:12]}...")


def _changed(folder: Path, what: str) -> BadInput:
    return BadInput(
        f"the cache entry {folder.name} has changed since it was exported: {what}. "
        f"Remove it, and the next run exports it again: python -m export --remove {folder.name}"
    )

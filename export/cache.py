"""The cache of exported models: `cache/models/<name>-<key>/`, each whole or absent.

An entry is built in a hidden folder beside its place and published by one rename under a lock, so nobody ever sees half
of one. Its manifest holds what it was made from and the size and SHA-256 of every file. A look-up compares sizes and
times and hashes what differs; `verify` hashes everything. Importing this loads neither torch nor onnx.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from export.errors import BadInput, first_line
from export.manifest import FileRecord, Manifest, OtherSchema, manifest_of

ENVIRONMENT_VARIABLE = "ONNX_ATTENTION_COMPARE_CACHE"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """An exported model in the cache: a folder that ONNX runtimes and transformers both load from.

    note: why it was taken, where its source could not be asked.
    """

    folder: Path
    manifest: Manifest
    note: str | None = field(default=None, compare=False)

    @property
    def notes(self) -> list[str]:
        """What belongs into every report on this model."""
        return [*([] if self.note is None else [self.note]), *self.manifest.checkpoint.notes()]

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


def folders(root: Path) -> list[Path]:
    """The folders of a cache that are entries or were meant to be, by name."""
    return sorted(path for path in (root / "models").glob("[!.]*") if path.is_dir())


def entries(root: Path) -> list[Entry]:
    """All entries of a cache, newest first. A folder whose manifest cannot be read is passed over."""
    found = [entry for folder in folders(root) if isinstance(entry := _read(folder), Entry)]
    return sorted(found, key=lambda entry: entry.manifest.created, reverse=True)


def damaged(root: Path) -> dict[str, BadInput]:
    """The folders of a cache whose manifest cannot be read, by name, with the error that says why."""
    return {folder.name: error for folder in folders(root) if isinstance(error := _read(folder), BadInput)}


def matching(root: Path, pattern: str) -> Iterator[Entry]:
    """Entries whose folder, model name or origin is the pattern."""
    for entry in entries(root):
        if pattern in (entry.folder.name, entry.manifest.source.name, entry.manifest.source.origin):
            yield entry


def look_up(root: Path, name: str, key: str) -> Entry | None:
    """The entry of that name and key, its files checked by size and time, or None.

    Raises `BadInput` if one changed, the manifest among them.
    """
    folder = root / "models" / f"{name}-{key}"
    return checked(entry_in(folder)) if folder.is_dir() else None


def entry_in(folder: Path) -> Entry:
    """The entry in a folder of the cache, its files unchecked.

    Raises `BadInput` where its manifest is gone, damaged or of another schema, with the command that mends it.
    """
    entry = _read(folder)
    if isinstance(entry, BadInput):
        raise entry
    return entry


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


def remove(folder: Path) -> int:
    """Delete an entry, whole or damaged: it vanishes by one rename, then its files go. Returns their bytes."""
    size = sum(path.lstat().st_size for path in folder.rglob("*"))
    doomed = folder.with_name(f".removed-{folder.name}-{os.getpid()}")
    folder.rename(doomed)
    shutil.rmtree(doomed)
    return size


def publish(
    root: Path,
    name: str,
    key: str,
    build: Callable[[Path], Manifest],
    say: Callable[[str], None] = lambda _: None,
) -> Entry:
    """Build an entry and publish it, unless another process just did: the lock makes that process's work ours.

    `build` fills the empty folder that it is given and returns the manifest without its files. `say` is told when
    another process holds the lock, and what that one left.
    """
    models = root / "models"
    _make_root(root)
    with _locked(models / f".{name}-{key}.lock", f"waiting for another process that exports {name}", say) as waited:
        if (entry := look_up(root, name, key)) is not None:
            if waited:
                say(f"the other process exported it: {entry.folder.name}")
            return entry
        for leftover in models.glob(f".{name}-{key}.building-*"):  # of a process that died here
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
def _locked(path: Path, waiting: str, say: Callable[[str], None]) -> Iterator[bool]:
    """Hold a lock while this is open; gives whether it had to wait for it, which is said before it does."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    waited = False
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(waiting)
        lock.acquire()
        waited = True
    try:
        yield waited
    finally:
        lock.release()


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


def _read(folder: Path) -> Entry | BadInput:
    """The entry in a folder of the cache, or the error that says why there is none that can be used."""
    try:
        return Entry(folder, manifest_of((folder / MANIFEST).read_bytes()))
    except FileNotFoundError:
        return _changed(folder, f"{MANIFEST} is gone")
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
        found = "is gone" if size is None else f"has {size:,} bytes"
        raise _changed(entry.folder, f"{name} {found}, the manifest says {record.size:,} bytes")


def _check_digest(entry: Entry, name: str) -> None:
    digest = _sha256(entry.folder / name)
    expected = entry.manifest.files[name].sha256
    if digest != expected:
        raise _changed(entry.folder, f"{name} has SHA-256 {digest[:12]}..., the manifest says {expected[:12]}...")


def _changed(folder: Path, what: str) -> BadInput:
    return BadInput(
        f"the cache entry {folder.name} has changed since it was exported: {what}. "
        f"Remove it and it is exported again: python -m export --remove {folder.name}"
    )

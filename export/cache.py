"""The cache of exported models: one folder `cache/models/<name>-<key>/` for each.

An entry is built in a hidden folder next to its final location and published by one rename under a lock, so no process
sees an incomplete entry. Its manifest records the source of the model, and the size and SHA-256 of every file. A
look-up compares sizes and modification times, and hashes a file if these differ; `verify` hashes every file. Importing
this module loads neither torch nor onnx.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from glob import escape
from pathlib import Path

from export.errors import BadInput, CannotRun, ComparisonError, cause, first_line, quoted
from export.manifest import FileRecord, Manifest, OtherSchema, manifest_of
from export.outside import is_folder, path_of, present, read_bytes, reason, sha256
from export.progress import SILENT, Progress

ENVIRONMENT_VARIABLE = "ONNX_ATTENTION_COMPARE_CACHE"
MANIFEST = "manifest.json"

#: The most bytes of a manifest, and of the name of a model in the name of its folder.
_MANIFEST, _NAME = 16 * 2**20, 150

#: What an operating system, or a library in its place, says if nothing more can be written.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


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
    """Return the cache's folder: `cache_dir`, else the environment variable's, else the checkout's, else the user's.

    Raises `BadInput` if that cannot be a path.
    """
    if cache_dir is not None:
        return named_folder(str(cache_dir), "--cache-dir")
    if named := os.environ.get(ENVIRONMENT_VARIABLE):
        return named_folder(named, ENVIRONMENT_VARIABLE)
    checkout = Path(__file__).resolve().parent.parent / "cache"
    if (checkout / "CACHEDIR.TAG").is_file():
        return checkout
    from platformdirs import user_cache_path

    return user_cache_path("onnx-attention-compare")


def named_folder(text: str, what: str) -> Path:
    """Return the folder of a cache that was given as text. what: how it was given, for messages.

    Raises `BadInput` if it cannot be a path, or has control characters: commands print paths in it, for scripts.
    """
    folder = path_of(text, what)
    if not text.isprintable():
        raise BadInput(f"{what} is {quoted(text)}, which has control characters; give another folder")
    return folder


def folders(root: Path) -> list[Path]:
    """Return the folders of a cache that should be entries, sorted by name. Their manifests are not read."""
    models = root / "models"
    return sorted(path for path in models.glob("[!.]*") if is_folder(path)) if is_folder(models) else []


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
    folder = root / "models" / entry_name(name, key)
    return checked(entry_in(folder)) if is_folder(folder) else None


def entry_name(name: str, key: str) -> str:
    """Return the name of an entry's folder. A long name of a model is cut, because file systems limit names.

    >>> entry_name("distilgpt2", "0123456789ab")
    'distilgpt2-0123456789ab'
    """
    return f"{name.encode()[:_NAME].decode(errors='ignore')}-{key}"


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
        if _status(entry, name).st_mtime_ns != record.mtime_ns:
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
    Raises `BadInput` if the cache cannot be written, and `CannotRun` if the disk is full. Then nothing is left of the
    entry.
    """
    models, folder = root / "models", entry_name(name, key)
    make_folder(root)
    with _locked(models / f".{folder}.lock", name, progress) as waited:
        if (entry := look_up(root, name, key)) is not None:
            if waited:
                progress.note(f"the other process exported it: {entry.folder.name}")
            return entry
        with _writing(models):
            for leftover in models.glob(
                f".{escape(folder)}.building-*"
            ):  # left by a process that was killed while building
                shutil.rmtree(leftover)
            building = models / f".{folder}.building-{os.getpid()}"
            building.mkdir()
            try:
                manifest = build(building)
                _set_modes(building)
                files = {path.name: _record(path) for path in sorted(building.iterdir())}
                (building / MANIFEST).write_text(_readable(replace(manifest, files=files)), encoding="utf-8")
                building.rename(models / folder)
            finally:
                shutil.rmtree(building, ignore_errors=True)
    return entry_in(models / folder)


def _set_modes(building: Path) -> None:
    """Let the umask decide who may read the files of a new entry, as it did for its folder.

    safetensors writes files that only their owner may read.
    """
    mode = building.stat().st_mode & 0o666
    for path in building.iterdir():
        with suppress(OSError):  # the file system has no modes
            path.chmod(mode)


def _readable(manifest: Manifest) -> str:
    """Return a manifest as the text of its file. Raises `CannotRun` if it would be refused when it is read."""
    text = manifest.to_json()
    try:
        manifest_of(text.encode())
    except ValueError as error:
        raise CannotRun(f"{manifest.source.name} cannot be kept in the cache: of its manifest, {error}") from error
    return text


@contextmanager
def _writing(models: Path) -> Iterator[None]:
    """Raise one of this project's errors for an entry that cannot be written in the `with` block.

    A library in Rust says in words that the disk is full, in an error of its own type.
    """
    try:
        yield
    except ComparisonError:
        raise
    except Exception as error:
        full = {os.strerror(number).lower() for number in _FULL}
        if getattr(error, "errno", None) in _FULL or any(words in str(error).lower() for words in full):
            raise CannotRun(
                f"the export cannot be written to {models}: {cause(error)}. Remove models (python -m export --list, "
                "--remove NAME) or choose another folder: --cache-dir FOLDER"
            ) from error
        if isinstance(error, OSError) and error.errno is not None:
            raise _not_writable(models, error) from error
        raise


@contextmanager
def _locked(path: Path, name: str, progress: Progress) -> Iterator[bool]:
    """Hold a lock during the `with` block and yield whether it had to wait for it.

    name: the name of the model. progress: has a stage while it waits.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    waited = False
    try:
        with _writing(path.parent):
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


def make_folder(root: Path) -> None:
    """Make the folder of a cache and its folder of models. Raises `BadInput` if they cannot be made."""
    try:
        (root / "models").mkdir(parents=True, exist_ok=True)
        tag = root / "CACHEDIR.TAG"
        if not tag.exists():
            tag.write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
    except OSError as error:
        raise _not_writable(root, error) from error


def _not_writable(folder: Path, error: OSError) -> BadInput:
    return BadInput(
        f"the cache folder {folder} cannot be written: {reason(error)}; give another one with --cache-dir FOLDER"
    )


def _read(folder: Path) -> Entry | BadInput:
    """Return the entry in a folder of the cache, or the error that says why it cannot be used."""
    try:
        if not present(folder / MANIFEST, "manifest"):
            return _changed(folder, f"{MANIFEST} is missing")
        return Entry(folder, manifest_of(read_bytes(folder / MANIFEST, "manifest", _MANIFEST)))
    except OtherSchema as error:
        return BadInput(f"{folder.name} was {error}; remove it: python -m export --remove {folder.name}")
    except BadInput as error:
        return _changed(folder, str(error))
    except ValueError as error:
        return _changed(folder, f"{MANIFEST} cannot be read: {first_line(error)}")


def _record(path: Path) -> FileRecord:
    stat = path.stat()
    return FileRecord(stat.st_size, stat.st_mtime_ns, sha256(path, "file").hex())


def _check_size(entry: Entry, name: str) -> None:
    """Raise `BadInput` if a file has another size than the manifest says."""
    size, record = _status(entry, name).st_size, entry.manifest.files[name]
    if size != record.size:
        raise _changed(entry.folder, f"{name} has {size:,} bytes; the manifest says {record.size:,} bytes")


def _status(entry: Entry, name: str) -> os.stat_result:
    """Return the status of a file of an entry. Raises `BadInput` if it is missing."""
    try:
        return (entry.folder / name).stat()
    except OSError as error:
        why = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {reason(error)}"
        size = entry.manifest.files[name].size
        raise _changed(entry.folder, f"{name} {why}; the manifest says {size:,} bytes") from error


def _check_digest(entry: Entry, name: str) -> None:
    try:
        digest = sha256(entry.folder / name, "file").hex()
    except BadInput as error:
        raise _changed(entry.folder, str(error)) from error
    expected = entry.manifest.files[name].sha256
    if digest != expected:
        raise _changed(entry.folder, f"{name} has SHA-256 {digest[:12]}...; the manifest says {expected[:12]}...")


def _changed(folder: Path, what: str) -> BadInput:
    return BadInput(
        f"the cache entry {folder.name} has changed since it was exported: {what}. "
        f"Remove it, and the next run exports it again: python -m export --remove {folder.name}"
    )

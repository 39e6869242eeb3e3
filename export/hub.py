"""Download a model from the hub at a given revision, with safetensors only, and check the digest of large files."""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from export.configuration import CONFIG
from export.errors import BadInput, ComparisonError, NotAvailable, cause, near, quoted, similar
from export.model_folder import MissingShard, model_files
from export.outside import as_bad_input, present, read_text, sha256, silent, unreadable
from export.progress import SILENT, Progress
from export.sources import BYTE_GPT2, KNOWN, PINS, Source

#: Patterns of files that are not downloaded: all in folders, except for the configurations of the modules of
#: sentence-transformers, such as 1_Pooling and 2_Dense. A star matches slashes too.
_NOT_READ = ["[!1-9]*/*", "[1-9]/*", "[1-9][!_]*/*", "[1-9]_*/[!c]*"]

#: The values of environment variables that the hub's library takes as true or false.
_SWITCH = ("", "1", "ON", "YES", "TRUE", "0", "OFF", "NO", "FALSE")

#: Timeout for the hub's first response about a file, and for its silence in an answer, in seconds.
_PATIENCE, _SILENCE = 5, 10


def download(source: Source, *, offline: bool, progress: Progress = SILENT) -> Path:
    """Return the folder of a hub model's snapshot, named by its commit, and download it if necessary.

    The folder is in Hugging Face's own cache, so other tools share it. Weights are hashed and compared with the pin if
    the model has one, and otherwise with the digest under which the hub stores large files.

    offline: whether to use only what was downloaded before.
    progress: has a stage, with a step for each file. On a terminal, the hub's library draws bars.
    Raises `NotAvailable` if the model cannot be had, and `BadInput` if a file has another digest than expected, or if
    an environment variable of the hub's library has a wrong value.
    """
    _check_environment()
    # The import is here because Hugging Face's library reads its environment variables when it is imported.
    with as_bad_input("the hub's library cannot be imported", "check the environment variables that begin with HF_"):
        from huggingface_hub import constants
        from huggingface_hub.errors import (
            GatedRepoError,
            HFValidationError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
        from huggingface_hub.utils import validate_repo_id

    offline_by = "--offline was given" if offline else "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else None
    if offline_by is None:
        progress.stage("download", f"asking {constants.ENDPOINT} for {source.origin} at {source.revision[:7]}")
    try:
        validate_repo_id(source.origin)
        _check_revision(Path(constants.HF_HUB_CACHE), source)
        folder = _snapshot(
            progress,
            source.origin,
            revision=source.revision,
            allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"],
            ignore_patterns=_NOT_READ,
            local_files_only=offline_by is not None,
            etag_timeout=_PATIENCE,
        )
    except ComparisonError:
        raise
    except HFValidationError as error:
        raise BadInput(
            f"{quoted(source.origin)} is not a model name, folder or hub id; {near(source.origin, KNOWN)}"
        ) from error
    except GatedRepoError as error:
        raise _cannot_be_had(source, "the hub requires a login: hf auth login") from error
    except RepositoryNotFoundError as error:
        raise _cannot_be_had(source, "the hub has no such model") from error
    except RevisionNotFoundError as error:
        raise _cannot_be_had(source, f"the hub has no revision {source.revision} of this model") from error
    except LocalEntryNotFoundError as error:
        why = _not_downloaded(offline_by) if offline_by else _no_answer(error)
        raise _cannot_be_had(source, why) from error
    except Exception as error:  # of the library that speaks HTTP, or because the hub answers what it never should
        raise NotAvailable(
            f"the download of {source.origin!r} failed: {cause(error)}; run the command again to resume"
        ) from error
    progress.waits("comparing digests")
    with progress.ticking():
        _remove_pages(Path(folder), source)
        _check(Path(folder), source, offline_by)
    return Path(folder)


def _check_environment() -> None:
    """Raise `BadInput` if an environment variable that chooses the hub has a value that the hub's library misreads."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 80) > 0
    except ValueError:
        usable = False
    if not usable or not endpoint.isprintable() or " " in endpoint:
        raise BadInput(f"HF_ENDPOINT is {quoted(endpoint)}; it must be a URL, such as https://huggingface.co")
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        value = os.environ.get(name, "")
        if value.upper() not in _SWITCH:
            raise BadInput(f"{name} is {quoted(value)}; it must be 1 or 0")


def _check_revision(downloads: Path, source: Source) -> None:
    """Raise `BadInput` if the file that says which commit was downloaded holds none.

    The hub's library would wait for a pipe, and follow any path. downloads: the cache of the hub's library.
    """
    path = _downloads_of(downloads, source.origin) / "refs" / source.revision
    if not present(path, "revision"):
        return
    mend = f"remove it and try again: rm -r {path}"
    commit = read_text(path, "revision", 100, mend)
    if not re.fullmatch("[0-9a-f]{40}", commit.strip()):
        raise unreadable(path, "revision", f"it holds {quoted(commit)}, not a commit", mend)


def _downloads_of(downloads: Path, origin: str) -> Path:
    return downloads / f"models--{origin.replace('/', '--')}"


def _no_answer(error: Exception) -> str:
    """Return why the hub gave no list of files. The hub's library names the cause only as the cause of its error."""
    response = getattr(error.__cause__, "response", None)
    code = getattr(response, "status_code", None)
    return "the hub does not answer" if code is None else f"the hub answers with HTTP status {code}"


def _snapshot(progress: Progress, origin: str, **options: Any) -> str:
    """Return the folder that `huggingface_hub.snapshot_download` returns.

    On a terminal, the library draws its bars. Elsewhere the progress shows the bytes so far, then a note for each file.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.utils import tqdm

    class NoBar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more | {"disable": True})

    if sys.stderr.isatty():
        with progress.hidden(), silent("huggingface_hub"), _bounded_waits():
            return str(snapshot_download(origin, **options))
    downloads = _downloads_of(Path(constants.HF_HUB_CACHE), origin)
    ticking = progress.ticking(lambda: f"{_bytes_in(downloads) / 1e6:,.0f} MB")
    with silent("huggingface_hub"), _bounded_waits(), ticking:
        folder = Path(snapshot_download(origin, tqdm_class=NoBar, **options))
    for path in sorted(folder.iterdir()):
        with suppress(OSError):  # it is checked later what a file is
            progress.note(f"{path.name}, {path.stat().st_size / 1e6:,.1f} MB")
    return str(folder)


@contextmanager
def _bounded_waits() -> Iterator[None]:
    """Give requests of this thread that have no timeout one, in the `with` block.

    The hub's library has one for files, but would wait without end for the list of files.
    """
    from huggingface_hub.utils import get_session

    session = get_session()
    own = session.request

    def request(*args: Any, timeout: Any = None, **more: Any) -> Any:
        return own(*args, timeout=timeout or _SILENCE, **more)

    session.request = request
    try:
        yield
    finally:
        del session.request


def _bytes_in(folder: Path) -> int:
    """Return the bytes of a folder's files, complete or not."""
    size = 0
    with suppress(OSError):  # a download renames files meanwhile
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                size += path.stat().st_size
    return size


def _cannot_be_had(source: Source, why: str) -> NotAvailable:
    """Return the error of a model that is not available, with the known models whose names are similar."""
    question = "" if source.name in PINS else similar(source.origin, KNOWN)
    return NotAvailable(
        f"model {source.origin!r} cannot be loaded: {why}{f'; {question}' if question else '.'} "
        f"{BYTE_GPT2} does not need the hub, and neither does a folder with config.json and model.safetensors: "
        "--model FOLDER"
    )


def _not_downloaded(offline_by: str) -> str:
    """Return why a model is not available offline. Some versions of the hub's library do not distinguish the cases."""
    return f"{offline_by} and it was not downloaded before, or only partly"


def _remove_pages(folder: Path, source: Source) -> None:
    """Remove a download that is no JSON and not what the hub promised, such as a page of a proxy that asks to sign in.

    Raises `NotAvailable` if there is one. The hub promises a digest by the name of the stored file; for small files it
    is that of git's objects.
    """
    for path in sorted(folder.glob("*.json")):
        stored = path.resolve()
        content = stored.read_bytes() if stored.is_file() else b"{}"
        promised = {hashlib.sha1(start + content).hexdigest() for start in (b"", b"blob %d\0" % len(content))}
        try:
            json.loads(content)
        except (ValueError, RecursionError):
            if stored.name in promised or not path.is_symlink():
                continue
            path.unlink()
            stored.unlink()
            raise NotAvailable(
                f"{path.name} of {source.label} is no JSON and not what the hub promised, so a proxy may have sent it; "
                "it was removed: run the command again"
            ) from None


def _check(folder: Path, source: Source, offline_by: str | None) -> None:
    """Check a snapshot's files.

    Raises `NotAvailable` if weights are missing, and `BadInput` if a file has another digest than expected or
    `export.model_folder` refuses it.
    """
    if not any(folder.glob("*.safetensors")) or not present(folder / CONFIG, "configuration"):
        raise _cannot_be_had(
            source, _not_downloaded(offline_by) if offline_by else "the hub has no safetensors of this model"
        )
    try:
        files = model_files(folder)
    except MissingShard as error:
        raise _cannot_be_had(source, _not_downloaded(offline_by) if offline_by else str(error)) from error
    pin = PINS.get(source.name)
    for path in files:
        stored = path.resolve()
        promised = stored.name if re.fullmatch("[0-9a-f]{64}", stored.name) else None
        if pin is not None and path.name == "model.safetensors":
            promised = pin.sha256
        if promised is None:  # a small file, which the hub does not name by its SHA-256
            continue
        found = sha256(stored, "download").hex()
        if found != promised:
            raise BadInput(
                f"{path.name} of {source.label} has SHA-256 {found[:12]}..., expected {promised[:12]}...; "
                f"remove the download and try again: rm {stored}"
            )

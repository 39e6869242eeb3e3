"""Download a model from the hub at a given revision, with safetensors only, and check the digest of large files."""

import hashlib
import json
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from export.errors import BadInput, CannotRun, near, similar
from export.model_folder import MissingShard, model_files
from export.progress import SILENT, Progress
from export.sources import BYTE_GPT2, KNOWN, PINS, Source

#: Patterns of files in folders other than 1_Pooling, the pooling of sentence-transformers. A star matches slashes too.
_OTHER_FOLDERS = ["[!1]*/*", "1[!_]*/*", "1_[!P]*/*"]

#: Timeout for the hub's first response, in seconds.
_PATIENCE = 5


def download(source: Source, *, offline: bool, progress: Progress = SILENT) -> Path:
    """Return the folder of a hub model's snapshot, named by its commit, and download it if necessary.

    The folder is in Hugging Face's own cache, so other tools share it. Weights are hashed and compared with the pin if
    the model has one, and otherwise with the digest under which the hub stores large files.

    offline: whether to use only what was downloaded before.
    progress: has a stage, with a step for each file. On a terminal, the hub's library draws bars.
    Raises `CannotRun` if the model is not available, and `BadInput` if a file has another digest than expected.
    """
    # The import is here because Hugging Face's library reads its environment variables when it is imported.
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    offline_by = "--offline was given" if offline else "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else None
    if offline_by is None:
        progress.stage("download", f"asking {constants.ENDPOINT} for {source.origin} at {source.revision[:7]}")
    try:
        folder = _snapshot(
            progress,
            source.origin,
            revision=source.revision,
            allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"],
            ignore_patterns=_OTHER_FOLDERS,
            local_files_only=offline_by is not None,
            etag_timeout=_PATIENCE,
        )
    except HFValidationError as error:
        raise BadInput(
            f"{source.origin!r} is not a model name, folder or hub id; {near(source.origin, KNOWN)}"
        ) from error
    except GatedRepoError as error:
        raise _cannot_be_had(source, "the hub requires a login: hf auth login") from error
    except RepositoryNotFoundError as error:
        raise _cannot_be_had(source, "the hub has no such model") from error
    except RevisionNotFoundError as error:
        raise _cannot_be_had(source, f"the hub has no revision {source.revision} of this model") from error
    except LocalEntryNotFoundError as error:
        why = _not_downloaded(offline_by) if offline_by else "the hub does not answer"
        raise _cannot_be_had(source, why) from error
    except OSError as error:
        first_line = next(iter(str(error).splitlines()), type(error).__name__)
        raise CannotRun(
            f"the download of {source.origin!r} failed: {first_line}; run the command again to resume"
        ) from error
    progress.waits("comparing digests")
    with progress.ticking():
        _remove_pages(Path(folder), source)
        _check(Path(folder), source, offline_by)
    return Path(folder)


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
        with progress.hidden():
            return str(snapshot_download(origin, **options))
    downloads = Path(constants.HF_HUB_CACHE) / f"models--{origin.replace('/', '--')}"
    with progress.ticking(lambda: f"{_bytes_in(downloads) / 1e6:,.0f} MB"):
        folder = Path(snapshot_download(origin, tqdm_class=NoBar, **options))
    for path in sorted(folder.iterdir()):
        progress.note(f"{path.name}, {path.stat().st_size / 1e6:,.1f} MB")
    return str(folder)


def _bytes_in(folder: Path) -> int:
    """Return the bytes of a folder's files, complete or not."""
    size = 0
    with suppress(FileNotFoundError):  # a download renames files meanwhile
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                size += path.stat().st_size
    return size


def _cannot_be_had(source: Source, why: str) -> CannotRun:
    """Return the error of a model that is not available, with the known models whose names are similar."""
    question = "" if source.name in PINS else similar(source.origin, KNOWN)
    return CannotRun(
        f"model {source.origin!r} cannot be loaded: {why}{f'; {question}' if question else '.'} "
        f"{BYTE_GPT2} does not need the hub, and neither does a folder with config.json and model.safetensors: "
        "--model FOLDER"
    )


def _not_downloaded(offline_by: str) -> str:
    """Return why a model is not available offline. Some versions of the hub's library do not distinguish the cases."""
    return f"{offline_by} and it was not downloaded before, or only partly"


def _remove_pages(folder: Path, source: Source) -> None:
    """Remove a download that is no JSON and not what the hub promised, such as a page of a proxy that asks to sign in.

    Raises `CannotRun` if there is one. The hub promises a digest by the name of the stored file; for small files it is
    that of git's objects.
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
            raise CannotRun(
                f"{path.name} of {source.label} is no JSON and not what the hub promised, so a proxy may have sent it; "
                "it was removed: run the command again"
            ) from None


def _check(folder: Path, source: Source, offline_by: str | None) -> None:
    """Check a snapshot's files.

    Raises `CannotRun` if weights are missing, and `BadInput` if a file has another digest than expected or
    `export.model_folder` refuses it.
    """
    if not any(folder.glob("*.safetensors")) or not (folder / "config.json").is_file():
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
        with stored.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != promised:
            raise BadInput(
                f"{path.name} of {source.label} has SHA-256 {found[:12]}..., expected {promised[:12]}...; "
                f"remove the download and try again: rm {stored}"
            )

"""Downloads from the hub: a snapshot at a revision, safetensors alone, each file held against the digest promised."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from export.errors import BadInput, CannotRun, near
from export.model_folder import MissingShard, model_files
from export.sources import BYTE_GPT2, KNOWN, PINS, Source

#: Seconds for the hub's first word.
_PATIENCE = 5


def download(source: Source, *, offline: bool, say: Callable[[str], None] = lambda _: None) -> Path:
    """The folder of a hub model's snapshot, named by its commit; downloaded, or found where it was downloaded before.

    It lies in Hugging Face's own cache, so that other tools share it. Weights are hashed: against the pin where the
    model has one, and against the digest under which the hub stores large files. Raises `CannotRun` where the model
    cannot be had, and `BadInput` where what came is not what was promised.
    """
    # Hugging Face's environment variables are read when its library is imported: here.
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    offline_by = "--offline was given" if offline else "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else None
    if offline_by is None:
        say(f"asking {constants.ENDPOINT} for {source.origin} at {source.revision[:7]}")
    try:
        folder = snapshot_download(
            source.origin,
            revision=source.revision,
            allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"],
            ignore_patterns=["*/*"],
            local_files_only=offline_by is not None,
            etag_timeout=_PATIENCE,
        )
    except HFValidationError as error:
        raise BadInput(f"{source.origin!r} is no model name, folder or hub id; {near(source.origin, KNOWN)}") from error
    except GatedRepoError as error:
        raise _cannot_be_had(source, "the hub wants a login: hf auth login") from error
    except RepositoryNotFoundError as error:
        raise _cannot_be_had(source, f"the hub has no such model; {near(source.origin, KNOWN)}") from error
    except RevisionNotFoundError as error:
        raise _cannot_be_had(source, f"the hub has no revision {source.revision} of it") from error
    except LocalEntryNotFoundError as error:
        why = _not_downloaded(offline_by) if offline_by else "the hub does not answer"
        raise _cannot_be_had(source, why) from error
    except OSError as error:
        first_line = next(iter(str(error).splitlines()), type(error).__name__)
        raise CannotRun(f"the download of {source.origin!r} failed: {first_line}; run it again to go on") from error
    _check(Path(folder), source, offline_by)
    return Path(folder)


def _cannot_be_had(source: Source, why: str) -> CannotRun:
    return CannotRun(
        f"model {source.origin!r} cannot be loaded: {why}. "
        f"{BYTE_GPT2} needs no hub, nor does a folder with config.json and model.safetensors: --model FOLDER"
    )


def _not_downloaded(offline_by: str) -> str:
    """Why a download is not to be had offline; the hub's library does not say which, in all its versions."""
    return f"{offline_by} and it was not downloaded before, or only a part of it"


def _check(folder: Path, source: Source, offline_by: str | None) -> None:
    """Raises `CannotRun` for a snapshot without all its weights, `BadInput` for files that are not those promised, or
    that `export.model_folder` refuses."""
    if not any(folder.glob("*.safetensors")) or not (folder / "config.json").is_file():
        raise _cannot_be_had(source, _not_downloaded(offline_by) if offline_by else "it has no safetensors there")
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
        if promised is None:  # a small file, stored under another kind of name
            continue
        with stored.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != promised:
            raise BadInput(
                f"{path.name} of {source.label} has SHA-256 {found[:12]}..., expected {promised[:12]}...; "
                f"remove the download and try again: rm {stored}"
            )

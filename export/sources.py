"""Resolve a model's name to the source of its weights.

A name can be that of the shipped byte-gpt2, of a pinned hub model or of a seeded model, a folder, or any hub id. `find`
does not import torch. The label of the `Source` that it returns appears in every table, plot and file made from the
model.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from export.errors import BadInput, near
from export.model_folder import check_weights, model_files
from export.outside import check_text, is_folder, path_of, present, reason, sha256, unreadable

Kind = Literal["hub", "folder", "seeded", "byte-gpt2", "module"]


@dataclass(frozen=True)
class Source:
    """The origin of a model's weights, and what identifies them.

    kind: "hub", "folder", "seeded", "byte-gpt2", or "module" (a live model that was changed after loading).
    name: the short name of the model.
    origin: the hub id, the path of the folder, or the model that was seeded or changed.
    revision: the hub's commit; the SHA-256 of a folder, of the shipped model or of a live one; or the seed.
    trained: whether the weights are trained. If not, the next token and perplexity are meaningless.
    """

    kind: Kind
    name: str
    origin: str
    revision: str
    trained: bool = True

    @property
    def label(self) -> str:
        """The text that names the source in every table, plot and file.

        >>> Source("hub", "distilgpt2", "distilbert/distilgpt2", "2290a62682d06624634c1f46a6ad5be0f47f38aa").label
        'distilbert/distilgpt2@2290a62'
        >>> Source("seeded", "distilgpt2-seeded", "distilgpt2", "0").label
        'seeded: distilgpt2 architecture, random weights (seed 0)'
        """
        match self.kind:
            case "hub":
                return f"{self.origin}@{self.revision[:7]}"
            case "seeded":
                return f"seeded: {self.origin} architecture, random weights (seed {self.revision})"
            case "byte-gpt2":
                return f"byte-gpt2, trained by this project (sha256 {self.revision[:7]})"
            case "folder":
                return f"folder {self.name} (sha256 {self.revision[:7]})"
            case "module":
                return f"changed in memory, from {self.origin} (sha256 {self.revision[:7]})"


@dataclass(frozen=True)
class Pin:
    """One revision of a hub model. sha256: the digest of its `model.safetensors`."""

    repository: str
    revision: str
    sha256: str


#: Short name -> hub model, with one canonical id and one revision, so that no model is cached twice.
PINS = {
    "distilgpt2": Pin(
        "distilbert/distilgpt2",
        "2290a62682d06624634c1f46a6ad5be0f47f38aa",
        "e1ff18884359fe8beb795a5f414feb85a6ce3d929ad019c0d958c039d2b94a1b",
    )
}

#: Name of a seeded model -> its GPT-2 configuration.
SEEDED: dict[str, dict[str, Any]] = {"distilgpt2-seeded": {"n_layer": 6, "_of": "distilgpt2"}}

#: The model that this project trains and ships. `python -m benchmarks.train_byte_gpt2` writes its folder.
BYTE_GPT2 = "byte-gpt2"
SHIPPED = Path(__file__).with_name("byte_gpt2")

KNOWN = [*PINS, *SEEDED, BYTE_GPT2]


def find(name: str) -> Source:
    """Return the source of a name: the shipped model, a seeded model, a folder, or else a model of the hub.

    A folder is identified by the SHA-256 of the files that are loaded from it, so all of these are read. A hub model
    that is not pinned has the revision "main" until it is loaded. Raises `BadInput` if a folder cannot be used, and
    `CannotRun` if its weights do not fit into memory.
    """
    check_name(name)
    if name == BYTE_GPT2:
        return Source("byte-gpt2", name, name, _digest(model_files(SHIPPED)))
    if name in SEEDED:
        return Source("seeded", name, SEEDED[name]["_of"], "0", trained=False)
    if is_path(name):
        folder = path_named(name)
        check_text(str(folder), "the path of the model")
        files = model_files(folder)
        check_weights(folder)
        return Source("folder", _shown(folder.name), str(folder), _digest(files))
    for short, pin in PINS.items():
        if name in (short, pin.repository):
            return Source("hub", short, pin.repository, pin.revision)
    return Source("hub", name.replace("/", "--"), name, "main")


def check_name(name: str) -> None:
    """Raise `BadInput` if a name is empty, which as a path would mean the working folder, or if it is not text."""
    if not name.strip():
        raise BadInput(f"the model's name is empty; {near('', KNOWN)}")
    check_text(name, "the model's name")


def _shown(name: str) -> str:
    """Return the name of a folder for files and reports: characters that cannot be printed are an underscore."""
    return "".join(character if character.isprintable() else "_" for character in name)


def path_named(name: str) -> Path:
    """Return the absolute path that a model's name is, if it is one. Raises `BadInput` if it cannot be a path."""
    path = path_of(name, "the model's name")
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        why = reason(error) if isinstance(error, OSError) else "its links lead back to themselves"
        raise unreadable(path, "model folder", why) from error


def is_built_in(name: str) -> bool:
    """Return whether a name is that of the shipped model or of a seeded one. A folder of that name is not looked at."""
    return name == BYTE_GPT2 or name in SEEDED


def is_path(name: str) -> bool:
    """Return whether a model's name is a path: there is such a folder or file, or the name cannot be a hub id."""
    path = path_of(name, "the model's name")
    if is_folder(path) or name.startswith((".", "/", "~")) or name.count("/") > 1:
        return True
    if name in PINS:
        return False
    return present(path, "model folder") or (present(path.parent, "model folder") and not is_folder(path.parent))


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(os.fsencode(path.name) + sha256(path, "file"))
    return digest.hexdigest()

"""The manifest of a cache entry: its source, its files, and the sizes of its model.

All fields, their types and their bounds are checked when a manifest is read. The checks do not use pydantic, because
importing it takes longer than a look-up.
"""

import json
import re
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypedDict, get_args, get_origin, get_type_hints, is_typeddict

from export.checkpoint import Checkpoint
from export.configuration import LAYERS, POSITIONS
from export.errors import quoted
from export.sources import Source

SCHEMA = 3


#: The number of positions of a model whose positions are not limited, such as one with linear biases.
NO_LIMIT = POSITIONS

#: The largest values of facts about a model that are not limited by `_WHOLE` alone.
_MOST = {"layers": LAYERS, "positions": NO_LIMIT, "vocabulary": 2**31 - 1}

#: The most characters of a name in messages.
_NAME = 100

#: Whole numbers of a manifest are smaller, in both directions.
_WHOLE = 2**63


class ModelFacts(TypedDict):
    """The type and sizes of a model.

    heads, key_value_heads, head_dim: 0 if it has no attention.
    positions: the length of the longest sequence that it supports; `NO_LIMIT` if there is none.
    tokens: "bytes" if its tokenizer has one token for each byte, else "vocabulary".
    output: the name of its output, "logits" or "last_hidden_state" (`export.kinds`).
    pooling: for an encoder, how the embeddings of texts are made (`export.pooling.Pooling.modes`); else empty.
    """

    type: str
    layers: int
    heads: int
    key_value_heads: int
    head_dim: int
    hidden: int
    vocabulary: int
    positions: int
    parameters: int
    tokens: Literal["bytes", "vocabulary"]
    output: Literal["logits", "last_hidden_state"]
    pooling: list[str]


@dataclass(frozen=True)
class FileRecord:
    """One file of an entry.

    size: bytes. mtime_ns: modification time (nanoseconds since the epoch). sha256: hexadecimal digest.
    """

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The source, the files and the model of a cache entry.

    checkpoint: facts about the files that the model was loaded from, for every report.
    notes: sentences on what of the model is not compared, for every report.
    fingerprint: size and modification time of the source folder's files, so that a look-up need not read them.
    """

    source: Source
    exporter: str
    opset: int
    versions: dict[str, str]
    model: ModelFacts
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    notes: list[str] = field(default_factory=list)
    fingerprint: dict[str, list[int]] = field(default_factory=dict)
    files: dict[str, FileRecord] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    schema: int = SCHEMA

    @property
    def decodes(self) -> bool:
        """Whether the model could be exported with a cache of keys and values."""
        return "decode.onnx" in self.files

    def to_json(self) -> str:
        """Return the manifest as the text of its file."""
        return json.dumps(asdict(self), indent=2) + "\n"


class OtherSchema(ValueError):
    """A manifest that another version of this project wrote."""


def manifest_of(text: bytes) -> Manifest:
    """Parse a manifest file's content and check it.

    Raises `OtherSchema` if another version wrote it, and `ValueError`, with what is wrong, if it is not a manifest.

    >>> manifest_of(b'{"schema": 3, "source": "nowhere"}')
    Traceback (most recent call last):
    ...
    ValueError: it has no checkpoint
    """
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if type(schema) is int and schema != SCHEMA and abs(schema) < _WHOLE:
        raise OtherSchema(f"written under cache schema {schema}, but this version uses {SCHEMA}")
    manifest: Manifest = _typed(Manifest, content, "")
    _check_values(manifest)
    return manifest


def _check_values(manifest: Manifest) -> None:
    """Check what the types of the fields do not say: a file of an entry is in its folder, and numbers have bounds."""
    for name, value in manifest.model.items():
        if type(value) is int:
            most = _MOST.get(name, _WHOLE)
            _check(0 <= value <= most, f"model.{name}", f"is {value}; it must be from 0 to {most}")
    for name, record in manifest.files.items():
        plain = name not in ("", ".", "..") and Path(name).name == name and name.isprintable() and "\\" not in name
        _check(plain, "files", f"has {quoted(name)}, which is not the name of a file in the entry")
        _check(record.size >= 0, f"files.{name}.size", f"is {record.size}; it must not be negative")
        digest = re.fullmatch("[0-9a-f]{64}", record.sha256)
        _check(digest is not None, f"files.{name}.sha256", f"is {quoted(record.sha256)}, not a SHA-256")
    try:
        datetime.fromisoformat(manifest.created)
    except ValueError:
        _check(False, "created", f"is {quoted(manifest.created)}, not a date")


def _typed(kind: Any, value: Any, place: str) -> Any:
    """Return a JSON value as the declared type.

    place: the path of the value in the manifest, for messages. Raises `ValueError` if the value has another type.
    """
    arguments = get_args(kind)
    if is_dataclass(kind) or is_typeddict(kind):
        fields = get_type_hints(kind)
        _check(isinstance(value, dict), place, "is not an object")
        for name in sorted(fields.keys() ^ value.keys()):
            _check(name in value, place, f"has no {name}")
            _check(name in fields, place, f"has an unknown field {quoted(name)}")
        return kind(**{name: _typed(hint, value[name], _inside(place, name)) for name, hint in fields.items()})
    if get_origin(kind) is dict:
        _check(isinstance(value, dict), place, "is not an object")
        return {name: _typed(arguments[1], item, _inside(place, name)) for name, item in value.items()}
    if get_origin(kind) is list:
        _check(isinstance(value, list), place, "is not a list")
        return [_typed(arguments[0], item, _inside(place, str(number))) for number, item in enumerate(value)]
    if get_origin(kind) is Literal:
        _check(value in arguments, place, f"is {quoted(value)}, not one of {', '.join(arguments)}")
        return value
    _check(type(value) is kind, place, f"is {quoted(value)}, not of type {kind.__name__}")
    _check(kind is not int or -_WHOLE < value < _WHOLE, place, "is a number of more than 64 bits")
    return value


def _inside(place: str, name: str) -> str:
    short = name if len(name) <= _NAME and name.isprintable() else quoted(name, _NAME)
    return f"{place}.{short}" if place else short


def _check(holds: bool, place: str, problem: str) -> None:
    if not holds:
        raise ValueError(f"{place or 'it'} {problem}")

"""The manifest of a cache entry: what it was made from, what it holds, and what its model looks like.

All fields and their types are checked when a manifest is read. That is done without pydantic, whose import takes longer
than a look-up.
"""

import json
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict, get_args, get_origin, get_type_hints, is_typeddict

from export.checkpoint import Checkpoint
from export.sources import Source

SCHEMA = 2


class ModelFacts(TypedDict):
    """What a model looks like. positions: how many it has. tokens: what its tokenizer makes of a text."""

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


@dataclass(frozen=True)
class FileRecord:
    """One file of an entry: bytes, nanoseconds since the epoch, hexadecimal digest."""

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What an entry was made from, what it holds, and what its model looks like.

    checkpoint: what is to be said of the files that the model was loaded from.
    fingerprint: size and modification time of the source folder's files, which spare a look-up reading them again.
    """

    source: Source
    exporter: str
    opset: int
    versions: dict[str, str]
    model: ModelFacts
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    fingerprint: dict[str, list[int]] = field(default_factory=dict)
    files: dict[str, FileRecord] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    schema: int = SCHEMA

    def to_json(self) -> str:
        """The manifest as it is written to its file."""
        return json.dumps(asdict(self), indent=2) + "\n"


class OtherSchema(ValueError):
    """A manifest that another version of this project wrote."""


def manifest_of(text: bytes) -> Manifest:
    """The manifest in a file's content. Raises `OtherSchema`, and `ValueError` that says what is wrong with any other.

    >>> manifest_of(b'{"schema": 2, "source": "nowhere"}')
    Traceback (most recent call last):
    ...
    ValueError: it has no checkpoint
    """
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if isinstance(schema, int) and schema != SCHEMA:
        raise OtherSchema(f"written under cache schema {schema}, this is {SCHEMA}")
    manifest: Manifest = _typed(Manifest, content, "")
    return manifest


def _typed(kind: Any, value: Any, place: str) -> Any:
    """A JSON value as the type that is declared; place: where it stands. Raises `ValueError` where it is another."""
    arguments = get_args(kind)
    if is_dataclass(kind) or is_typeddict(kind):
        fields = get_type_hints(kind)
        _check(isinstance(value, dict), place, "is no object")
        for name in sorted(fields.keys() ^ value.keys()):
            _check(name in value, place, f"has no {name}")
            _check(name in fields, place, f"has a field {name!r}, which is not known")
        return kind(**{name: _typed(hint, value[name], _inside(place, name)) for name, hint in fields.items()})
    if get_origin(kind) is dict:
        _check(isinstance(value, dict), place, "is no object")
        return {name: _typed(arguments[1], item, _inside(place, name)) for name, item in value.items()}
    if get_origin(kind) is list:
        _check(isinstance(value, list), place, "is no list")
        return [_typed(arguments[0], item, _inside(place, str(number))) for number, item in enumerate(value)]
    if get_origin(kind) is Literal:
        _check(value in arguments, place, f"is {value!r}, not one of {', '.join(arguments)}")
        return value
    _check(type(value) is kind, place, f"is {value!r}, not of type {kind.__name__}")
    return value


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _check(holds: bool, place: str, problem: str) -> None:
    if not holds:
        raise ValueError(f"{place or 'it'} {problem}")

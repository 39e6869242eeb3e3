"""A report whose every name and text wants to command a terminal, Markdown or HTML."""

import dataclasses
import re
from typing import Any, TypeVar

from pydantic import BaseModel

#: A title, a colour, a return, a line of its own, a turned direction, markup of rich, HTML and Markdown, a C1 sequence.
HOSTILE = "\x1b]0;title\x07\x1b[31m\r\n# \u202e[red]<script>|`\\|\x9b2J![a](b)"

#: The fields whose text comes from outside, or may in another version; those of texts that others are looked up by are
#: not among them.
_FIELDS = frozenset(
    (
        "name",
        "asked_for",
        "provenance",
        "entry",
        "type",
        "pooling",
        "tokens",
        "python",
        "platform",
        "processor",
        "gpus",
        "packages",
        "commit",
        "names",
        "processes",
        "sees",
        "runtime",
        "error",
        "uncounted",
        "missing",
        "operators",
        "chosen",
        "default",
        "file",
        "fed",
        "unmatched",
        "quantized",
        "halves",
        "found",
        "skipped",
        "options",
        "facts",
        "place",
        "note",
        "padded",
        "cause",
        "notes",
        "command",
        "run_id",
        "created",
        "phases",
    )
)

#: What must not reach a terminal: control and format characters, and surrogates.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_Value = TypeVar("_Value")


def hostile(value: _Value, text: str = HOSTILE) -> _Value:
    """Return a copy of a report in which the texts of all fields from outside end with a text."""
    altered: _Value = _altered(value, "", text)
    return altered


def _altered(value: Any, name: str, text: str) -> Any:
    if isinstance(value, str):
        return value + text if name in _FIELDS else value
    if isinstance(value, BaseModel):
        fields = {field: _altered(getattr(value, field), field, text) for field in type(value).model_fields}
        return value.model_copy(update=fields)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        return dataclasses.replace(value, **{field: _altered(each, field, text) for field, each in fields.items()})
    if isinstance(value, dict):
        return {_altered(key, name, text): _altered(each, name, text) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_altered(each, name, text) for each in value)
    return value


def commands_in(output: str) -> set[str]:
    """Return the characters of an output that a terminal would not show."""
    return set(_COMMANDS.findall(output))

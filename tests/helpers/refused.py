"""Models that must be refused, and the message that says why."""

import json
from importlib import metadata
from pathlib import Path

import pytest

from export.errors import ComparisonError
from export.models import load
from export.sources import find

#: Whether transformers is older than version 5, which reads some files that version 4 refuses.
BEFORE_5 = int(metadata.version("transformers").partition(".")[0]) < 5


def refusal(name: str, kind: type[ComparisonError] = ComparisonError) -> str:
    """Return the one line with which a model is refused, as `python -m export` looks for it and loads it."""
    with pytest.raises(kind) as error:
        load(find(name), offline=True)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 2500
    return message


def edited(path: Path, change: dict[str, object]) -> None:
    """Change the values of keys in a file of JSON, whose object it makes if there is none."""
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(content | change))

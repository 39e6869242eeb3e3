"""A seal for JSON files: a digest of their own content, which shows that a bit has flipped on a disk.

The digest is of what the content means, not of its bytes: another order of fields or other spaces do not change it.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

#: The field of an object that has the digest of all others.
SEAL = "sha256"


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object of JSON with its seal as the last field.

    >>> sealed({"b": 1, "a": 0.5})[SEAL] == sealed({"a": 0.5, "b": 1})[SEAL]
    True
    """
    return {**content, SEAL: _digest(content)}


def opened(content: Any) -> dict[str, Any]:
    """Return an object of JSON without its seal. One that has none, from an older version, is returned as it is.

    Raises `ValueError` if it is no object, or not the one that was sealed.

    >>> opened(sealed({"a": 1}))
    {'a': 1}
    >>> opened({**sealed({"a": 1}), "a": 2})
    Traceback (most recent call last):
    ...
    ValueError: its content does not have the digest that it was written with
    """
    rest = without_seal(content)
    if not isinstance(rest, dict):
        raise ValueError("it is no object")
    if SEAL in content and content[SEAL] != _digest(rest):
        raise ValueError("its content does not have the digest that it was written with")
    return rest


def without_seal(content: Any) -> Any:
    """Return an object of JSON without its seal, which is not checked. Anything else is returned as it is."""
    return {name: value for name, value in content.items() if name != SEAL} if isinstance(content, dict) else content


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()

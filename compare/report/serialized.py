"""How reports, and what is made of them, become JSON."""

import json
import re
from math import inf, isfinite
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

_SURROGATE = re.compile("[\ud800-\udfff]")


def as_json(model: BaseModel) -> str:
    """Return a model as JSON, in which numbers that are not finite are strings.

    A lone surrogate, which the name of a file may contain, becomes an escape; pydantic refuses to write it.

    >>> class Named(BaseModel):
    ...     name: str
    >>> print(as_json(Named(name="a\\udc80")))
    {
     "name": "a\\udc80"
    }
    """
    try:
        return model.model_dump_json(indent=1)
    except PydanticSerializationError:
        text = json.dumps(_finite(model.model_dump(mode="json")), indent=1, ensure_ascii=False)
        return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _finite(value: Any) -> Any:
    """Return JSON data with the strings that pydantic writes for NaN and infinity."""
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if value != value else "Infinity" if value == inf else "-Infinity"
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list) else value

"""The base of all results: a report rejects unknown fields, and keeps infinities and NaN."""

from typing import Any, ClassVar


class Result:
    """The base of the dataclasses that a report embeds. They are checked when a report is read, not when they are made.

    The configuration is for pydantic, which reads and writes reports. This package imports only the standard library.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "ser_json_inf_nan": "strings"}

"""What all results have in common: a report refuses fields that it does not know, and keeps infinities and NaN."""

from typing import Any, ClassVar


class Result:
    """A base for the dataclasses that a report embeds. They are checked when a report is read, not when they are made.

    The configuration is pydantic's, which writes and reads reports; this package imports the standard library alone.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "ser_json_inf_nan": "strings"}

"""Functions that several commands use: split names at commas."""

from export.errors import BadInput


def names_in(given: str, option: str, lists: str) -> list[str]:
    """Split an option's value at commas. Raises `BadInput` if it has no names. lists: which command lists the names."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise BadInput(f"{option} has no names; leave it out for all; {lists}")
    return names

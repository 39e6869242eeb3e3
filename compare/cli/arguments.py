"""Functions that several commands use: names separated by commas."""

from export.errors import BadInput


def names_in(given: str, option: str, lists: str) -> list[str]:
    """Split an option's value at the commas. Raises `BadInput` if it has no names. lists: says what lists the names."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise BadInput(f"{option} has no names; leave it out for all; {lists}")
    return names

"""What several commands share: names separated by commas, and progress on stderr."""

import sys

from export.errors import BadInput


def names_in(given: str, option: str, lists: str) -> list[str]:
    """The names between the commas. Raises `BadInput` if there is none, and says what lists them."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise BadInput(f"{option} names none; leave it out for all, {lists}")
    return names


def say(line: str) -> None:
    """Print a line of progress."""
    print(line, file=sys.stderr, flush=True)

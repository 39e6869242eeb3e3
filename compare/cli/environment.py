"""Variables of the environment that libraries read, and that a command must not stumble over."""

import os

#: The most columns and lines of a terminal that are believed.
_MOST = 1000


def ignore_wrong_sizes() -> None:
    """Remove COLUMNS and LINES from the environment if they are no size of a terminal, such as 0 or a billion.

    rich and argparse take them as they are, and a line is padded to the width.
    """
    for name in ("COLUMNS", "LINES"):
        value = os.environ.get(name, "1")
        if not (value.isascii() and value.isdecimal() and len(value) < 5 and 1 <= int(value) <= _MOST):
            del os.environ[name]

"""Python's search for garbage: objects that only refer to each other."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Do not search for garbage in the `with` block, which makes many objects and keeps most of them.

    Python searches after a certain number of new objects, and then looks at all. This takes a fifth of the time in
    which torch and transformers are imported, and a tenth of that in which a tiny GPT-2 is exported.

    >>> with no_collection():
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()

"""Somebody else's module."""


def as_line(cells):
    return ",".join(cells)

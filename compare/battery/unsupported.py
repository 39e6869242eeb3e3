"""The exception by which a kernel declines."""


class Unsupported(Exception):
    """What a kernel does not offer, in a few words that follow "not asked: "."""

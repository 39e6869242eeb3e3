"""The exception that a kernel raises if it does not support its inputs."""


class Unsupported(Exception):
    """A kernel does not support its inputs. Tables show the message after "not asked: "."""

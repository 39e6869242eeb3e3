"""The exception that a kernel raises if it does not support its inputs."""


class Unsupported(Exception):
    """A kernel does not support its inputs. The message says what is not supported and follows "not asked: "."""

"""The command that installs an extra of this project, for error messages and the list of runtimes."""


def install_command(extra: str) -> str:
    """Return the command that installs an extra, a key of `project.optional-dependencies` in pyproject.toml.

    >>> install_command("optimum")
    "pip install 'onnx-attention-compare[optimum]'"
    """
    return f"pip install 'onnx-attention-compare[{extra}]'"

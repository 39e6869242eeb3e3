"""Functions for the arguments of commands: names separated by commas, and --version."""

import typer

from export.errors import BadInput


def names_in(given: str, option: str, lists: str) -> list[str]:
    """Split an option's value at commas. Raises `BadInput` if it has no names. lists: which command lists the names."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise BadInput(f"{option} has no names; leave it out for all; {lists}")
    return names


def print_version(wanted: bool) -> None:
    """Print the version of this project and exit, if it is wanted."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"onnx-attention-compare {version('onnx-attention-compare')}")
        raise typer.Exit

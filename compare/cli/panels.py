"""The layout of --help: options in panels."""

from typing import Any

from typer.core import TyperGroup


class Panels(TyperGroup):
    """A command that lists its options by panel, in plain text.

    typer would show panels with rich, whose import takes longer than the rest of --help.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each panel, in the order of their first options, and one for the commands."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                panels.setdefault(getattr(param, "rich_help_panel", None) or "Options", []).append(record)
        for name, records in panels.items():
            with formatter.section(name):
                formatter.write_dl(records)
        self.format_commands(ctx, formatter)

"""The commands of `python -m compare`, and how errors end them. Slow imports are delayed until a command needs them."""

import typer

from compare.cli import reports
from compare.cli.battery import battery
from compare.cli.compare import compare
from compare.cli.panels import Panels
from compare.cli.runtimes import runtimes
from export.command import finish
from export.errors import BadInput, BadSetting

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.callback(cls=Panels, invoke_without_command=True)(compare)
for command in (runtimes, reports.show, reports.rejudge, reports.diff, battery):
    app.command()(command)


def main() -> None:
    """Run the command line and exit. `compare.__main__` calls this."""
    finish(_run)


def _run() -> int | None:
    try:
        code: int | None = app(prog_name="python -m compare", standalone_mode=False)
    except BadSetting as error:
        raise error.on_command_line() from error
    except typer.TyperException as error:
        raise BadInput(f"{error.format_message().rstrip('.')}; see python -m compare --help") from error
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    if code == 130:  # typer's exit code if it is interrupted
        raise KeyboardInterrupt
    return code

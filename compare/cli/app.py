"""The commands of `python -m compare`, and how errors end them. Slow imports are delayed until a command needs them."""

import os

import typer

from compare.cli import cached, reports
from compare.cli.arguments import program
from compare.cli.battery import battery
from compare.cli.compare import compare
from compare.cli.panels import Panels
from compare.cli.runtimes import runtimes
from export.cache import cache_root
from export.errors import BadInput, BadSetting

#: What `--help` ends with. A paragraph after \b is not wrapped.
EPILOG = """\b
Examples:
  python -m compare --model byte-gpt2 --quick  the shipped model
  python -m compare --model ./folder           a model that you saved
  python -m compare --onnx FILE --model NAME   an ONNX file and its model
  python -m compare --onnx A --baseline B      two ONNX files, no model
  python -m compare show --full                every table of the last run

Models are causal language models, such as GPT-2, Llama, Mistral, Qwen, Gemma,
Phi, Falcon and Mixtral, and encoders, such as BERT, RoBERTa and MiniLM, that
transformers loads without remote code.
"""

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]}, rich_markup_mode=None, pretty_exceptions_enable=False
)
app.callback(cls=Panels, invoke_without_command=True, epilog=EPILOG)(compare)
for command in (runtimes, reports.show, cached.list_, cached.remove, reports.rejudge, reports.diff, battery):
    app.command(command.__name__.rstrip("_"))(command)


def run() -> int | None:
    """Run the command line, and return its exit code. Errors are for `export.command.finish`."""
    # Figures are drawn in a style of their own, so matplotlib's settings and its list of fonts need not be the user's.
    os.environ.setdefault("MPLCONFIGDIR", str(cache_root() / "matplotlib"))
    os.environ["MPLBACKEND"] = "agg"  # one that matplotlib does not know would stop its import
    try:  # completion is of the script's name, because a shell completes no `python -m`
        code: int | None = app(prog_name=program(), standalone_mode=False)
    except BadSetting as error:
        raise error.on_command_line() from error
    except typer.TyperException as error:
        raise BadInput(f"{error.format_message().rstrip('.')}; see python -m compare --help") from error
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    if code == 130:  # typer's exit code if it is interrupted
        raise KeyboardInterrupt
    return code

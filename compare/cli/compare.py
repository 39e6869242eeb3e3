"""python -m compare: the command line. Heavy imports wait until a command needs them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compare.cli import reports
from compare.report.render.formats import Format, check_timed, chosen_format, print_as
from export.command import finish
from export.errors import BadInput

if TYPE_CHECKING:
    from compare.report.schema import Report

DEFAULT_MODEL = "distilgpt2"
DEFAULT_TIME = 30.0
QUICK_TIME = 5.0
QUICK_RUNTIMES = ["torch-eager", "onnxruntime"]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

#: What typer raises for wrong words. It does not name the class itself, but the base of this public one is it.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


@app.callback(invoke_without_command=True)
def compare(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Option(help="Name (distilgpt2, byte-gpt2), folder or hub id; default distilgpt2.", show_default=False),
    ] = None,
    runtimes: Annotated[
        str | None, typer.Option(help="Names with commas between, or all; default all.", show_default=False)
    ] = None,
    text: Annotated[str | None, typer.Option(help="What runs through the model.", show_default=False)] = None,
    text_file: Annotated[Path | None, typer.Option(help="A file with that text.", show_default=False)] = None,
    sequence: Annotated[int | None, typer.Option(help="How many tokens; default 128.", show_default=False)] = None,
    batch: Annotated[int, typer.Option(help="How many sequences at once.")] = 1,
    threads: Annotated[
        int | None, typer.Option(help="For every runtime; default all cores.", show_default=False)
    ] = None,
    pin: Annotated[bool, typer.Option("--pin", help="Bind each timed process to a CPU a thread.")] = False,
    memory: Annotated[
        float | None,
        typer.Option(help="GB that the timed processes may hold together; default what is free.", show_default=False),
    ] = None,
    interference: Annotated[
        bool, typer.Option("--interference", help="Time each beside the others unsuspended too.")
    ] = False,
    grid: Annotated[
        str | None,
        typer.Option(
            metavar="SEQUENCESxBATCHES", help="Latency at each of these too, e.g. 32,128x1,4.", show_default=False
        ),
    ] = None,
    time: Annotated[
        float | None, typer.Option(help="Seconds of latency rounds at most; default 30.", show_default=False)
    ] = None,
    precision: Annotated[
        float, typer.Option(help="The rounds end where every ratio is known to this many percent.")
    ] = 2.0,
    min_rounds: Annotated[int, typer.Option(help="Rounds at least, even where they take longer than --time.")] = 1,
    max_load: Annotated[
        float | None,
        typer.Option(
            help="Percent of the CPU that others may use in a turn that counts; default 5.", show_default=False
        ),
    ] = None,
    latency: Annotated[bool, typer.Option(help="Time the runtimes, or give verdicts alone.")] = True,
    decode: Annotated[bool, typer.Option(help="Time and check decoding with a cache, too.")] = True,
    seed: Annotated[int, typer.Option(help="Of the rounds' order and the intervals.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="The report's folder; default a new one.", show_default=False)
    ] = None,
    format_: Annotated[
        Format | None, typer.Option("--format", help="Of what is on stdout; default terminal.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="32 tokens, 5 seconds, torch-eager and onnxruntime.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Never ask the hub.")] = False,
    exporter: Annotated[
        str, typer.Option(help="Whose graphs run: dynamo, or optimum with dynamo's beside it.")
    ] = "dynamo",
    onnx: Annotated[
        Path | None, typer.Option(help="An ONNX file to hold against the model, in one more row.", show_default=False)
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Another ONNX file to hold it against, without a model.", show_default=False)
    ] = None,
    fail_on: Annotated[
        str, typer.Option(help="Exit 1 from this verdict on: rounding, reduced precision, unsteady, different, broken.")
    ] = "different",
    keep_traces: Annotated[bool, typer.Option("--keep-traces", help="Keep every tensor of every run.")] = False,
    cache_dir: Annotated[Path | None, typer.Option(help="The cache's folder.", show_default=False)] = None,
    explain: Annotated[
        str | None, typer.Option(help="How this runtime's verdict was reached.", show_default=False)
    ] = None,
) -> None:
    """Compare a model across runtimes: gaps to a float64 run, latency, and which runtime to deploy.

    Exit codes: 0 no verdict at or beyond --fail-on, 1 one is, 2 wrong input, 3 what was asked for by name cannot run.
    """
    if context.invoked_subcommand is not None:
        return
    shape = chosen_format(format_, json=json)
    check_timed(shape, latency)
    _check_graphs(onnx, baseline, model, runtimes)
    from compare.pipeline.compare_files import compare_graphs
    from compare.pipeline.compare_model import compare as run_comparison
    from compare.pipeline.settings import Settings

    settings = Settings(
        text=_text(text, text_file),
        runtimes=_runtime_names(runtimes, quick),
        sequence=sequence,
        batch=batch,
        threads=threads,
        pin=pin,
        memory=memory,
        interference=interference,
        grid=grid,
        seconds=time if time is not None else QUICK_TIME if quick else DEFAULT_TIME,
        precision=precision / 100,
        min_rounds=min_rounds,
        max_load=None if max_load is None else max_load / 100,
        latency=latency,
        decode=decode,
        seed=seed,
        quick=quick,
        offline=offline,
        fallback="seeded" if model is None else None,
        exporter=exporter,
        onnx=onnx,
        baseline=baseline,
        fail_on=fail_on,
        out=out,
        cache_dir=cache_dir,
        keep_traces=keep_traces,
    )
    if baseline is None:
        report = run_comparison(DEFAULT_MODEL if model is None else model, settings, _say)
    else:
        report = compare_graphs(settings, _say)
    _render(report, shape)
    if explain is not None:
        from compare.report.render.terminal import print_explanation

        print_explanation(report, explain)
    raise typer.Exit(report.exit_code())


@app.command()
def runtimes() -> None:
    """List the runtimes: which are here, which are missing, and what installs them."""
    from compare.runtimes.registry import listing

    found = listing()
    width = max(len(name) for name in [*found.specs, *found.broken])
    for name, spec in found.specs.items():
        missing = spec.missing()
        state = f"missing {', '.join(missing)}: {spec.install}" if missing else "here"
        kind = "hybrid" if spec.hybrid else spec.precision
        typer.echo(f"{name:<{width}}  {kind:<8}  {state:<6}  {spec.summary}")
    for name, error in found.broken.items():
        typer.echo(f"{name:<{width}}  broken    {error}")


app.command()(reports.show)
app.command()(reports.rejudge)
app.command()(reports.diff)


@app.command()
def battery(
    kernels: Annotated[
        str | None, typer.Option(help="Names with commas between; default all.", show_default=False)
    ] = None,
    cases: Annotated[
        str | None, typer.Option(help="Names with commas between; default all.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The result as JSON on stdout, nothing else.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List kernels and cases; nothing is run.")] = False,
    seed: Annotated[int, typer.Option(help="Of the inputs.")] = 0,
    threads: Annotated[
        int | None, typer.Option(help="For every kernel; default all cores.", show_default=False)
    ] = None,
    node_cases: Annotated[bool, typer.Option(help="Score the kernels on ONNX's node cases too.")] = True,
    fail_on: Annotated[
        str | None,
        typer.Option(help="Exit 1 from this verdict on, and for a kernel that fails.", show_default=False),
    ] = None,
) -> None:
    """Hard inputs for attention alone through every kernel that is here, without a model.

    Exit codes: 0 it ran, 1 a verdict is at or beyond --fail-on, 2 wrong input, 3 a kernel asked for by name is missing.
    """
    from compare.battery import text as battery_text
    from compare.battery.cases import CASES, cases_named
    from compare.battery.kernels.registry import BUILT_IN, kernels_named
    from compare.pipeline.settings import check_at_least, check_fail_on

    lists = "python -m compare battery --list lists them"
    chosen = BUILT_IN if kernels is None else kernels_named(_names(kernels, "--kernels", lists))
    asked = list(CASES.values()) if cases is None else cases_named(_names(cases, "--cases", lists))
    if list_:
        for line in battery_text.listing(chosen, asked):
            typer.echo(line)
        return
    check_at_least(0, "--seed", seed)
    check_at_least(1, "--threads", threads)
    if fail_on is not None:
        check_fail_on(fail_on)
    from compare.battery.runner import run_battery
    from compare.report.render.terminal import print_table

    named = kernels is not None
    result = run_battery(chosen, asked, named=named, node_cases=node_cases, seed=seed, threads=threads, say=_say)
    if json:
        print(result.model_dump_json(indent=1))
    else:
        for table in battery_text.tables(result):
            print_table(table)
        for line in battery_text.lines(result):
            print(line)
    raise typer.Exit(result.exit_code(fail_on))


def main() -> None:
    """The command line; `compare.__main__` starts it."""
    finish(_run)


def _run() -> int | None:
    try:
        code: int | None = app(prog_name="python -m compare", standalone_mode=False)
    except _UsageError as error:
        message = error.format_message()  # type: ignore[attr-defined]
        raise BadInput(f"{message.rstrip('.')}; see python -m compare --help") from error
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    if code == 130:  # newer typer ends so where older ones raise Abort
        raise KeyboardInterrupt
    return code


def _check_graphs(onnx: Path | None, baseline: Path | None, model: str | None, runtimes: str | None) -> None:
    """Raises `BadInput` where it is not clear what an ONNX file is to be held against."""
    if baseline is None:
        if onnx is not None and model is None:
            raise BadInput(f"--onnx {onnx} is held against a model or another file: --model NAME or --baseline OTHER")
    elif onnx is None:
        raise BadInput(f"--baseline {baseline} is what another file is held against; name that one too: --onnx FILE")
    elif model is not None:
        raise BadInput("--model and --baseline go one at a time: --onnx FILE is held against one of them")
    elif runtimes is not None:
        raise BadInput("--runtimes goes with a model; two files are run by onnxruntime alone: leave it out")


def _runtime_names(given: str | None, quick: bool) -> list[str] | None:
    """The names between the commas; None is all runtimes."""
    if given is None:
        return QUICK_RUNTIMES if quick else None
    return _names(given, "--runtimes", "python -m compare runtimes lists them")


def _names(given: str, option: str, lists: str) -> list[str]:
    """The names between the commas. Raises `BadInput` where there is none, and says what lists them."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise BadInput(f"{option} names none; leave it out for all, {lists}")
    return names


def _text(text: str | None, path: Path | None) -> str | None:
    """What was given on the command line or stands in the file; None is the text that ships with the project."""
    if path is None:
        return text
    if text is not None:
        raise BadInput("--text and --text-file go one at a time")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInput(f"--text-file {path} cannot be read: {why}") from error


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _render(report: "Report", shape: Format) -> None:
    """Figures and Markdown into the report's folder; tables, or another format and nothing else, on stdout."""
    from compare.report.render.markdown import to_markdown
    from compare.report.render.plots import draw_figures, save_figures

    assert report.folder is not None
    figures = save_figures(draw_figures(report), report.folder)
    (report.folder / "report.md").write_text(to_markdown(report, tuple(path.name for path in figures)))
    print_as(report, shape)
    if shape is Format.TERMINAL:
        print(f"report.json, report.md and {len(figures)} figures are in {report.folder}")

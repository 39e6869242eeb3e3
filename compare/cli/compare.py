"""The command without a name, which runs a comparison. Defaults are those of `compare.pipeline.settings`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compare.cli.arguments import names_in
from compare.pipeline.settings import (
    DEFAULT_MODEL,
    DEFAULT_SEQUENCE,
    QUICK_RUNTIMES,
    QUICK_SEQUENCE,
    QUICK_TIME,
    CheckSettings,
    InputSettings,
    LatencySettings,
    OutputSettings,
    RuntimeSettings,
    Settings,
)
from compare.report.render.formats import Format, check_timed, chosen_format, print_as
from export.errors import BadInput

if TYPE_CHECKING:
    from compare.report.schema import Report

# `typer.Option` for each panel of --help. A panel holds one group of settings.
_input, _runtimes, _checks, _latency, _output = (
    partial(typer.Option, rich_help_panel=panel) for panel in ("Input", "Runtimes", "Checks", "Latency", "Output")
)


def compare(
    context: typer.Context,
    model: Annotated[
        str | None,
        _input(metavar="NAME", help="Model: a name, a folder or a hub id.", show_default=DEFAULT_MODEL),
    ] = None,
    text: Annotated[
        str | None, _input(metavar="TEXT", help="Text that runs through the model.", show_default="the shipped text")
    ] = None,
    text_file: Annotated[Path | None, _input(metavar="FILE", help="File with the text.")] = None,
    sequence: Annotated[
        int | None,
        _input(metavar="N", help="Tokens in each sequence.", show_default=f"all of --text, or {DEFAULT_SEQUENCE}"),
    ] = None,
    batch: Annotated[int, _input(metavar="N", help="Sequences that run at once.")] = InputSettings.batch,
    exporter: Annotated[
        str, _input(metavar="NAME", help="Exporter of the graphs: dynamo, or optimum, which adds a row with dynamo's.")
    ] = InputSettings.exporter,
    onnx: Annotated[
        Path | None, _input(metavar="FILE", help="ONNX file to compare with the model, in a row of its own.")
    ] = None,
    baseline: Annotated[
        Path | None, _input(metavar="FILE", help="ONNX file to compare --onnx with, instead of a model.")
    ] = None,
    offline: Annotated[bool, _input("--offline", help="Never ask the hub.")] = InputSettings.offline,
    runtimes: Annotated[
        str | None, _runtimes(metavar="NAMES", help="Runtimes, separated by commas.", show_default="all")
    ] = None,
    threads: Annotated[
        int | None, _runtimes(metavar="N", help="Threads in each runtime.", show_default="all cores")
    ] = None,
    timeout: Annotated[
        float, _runtimes(metavar="SECONDS", help="Time limit for one answer of a process.")
    ] = RuntimeSettings.timeout,
    latency: Annotated[bool, _checks(help="Time the runtimes.")] = CheckSettings.latency,
    decode: Annotated[bool, _checks(help="Time and check decoding with a cache.")] = CheckSettings.decode,
    quick: Annotated[
        bool,
        _checks(
            "--quick",
            help=f"Compare less: {QUICK_SEQUENCE} tokens, {QUICK_TIME:g} seconds, {' and '.join(QUICK_RUNTIMES)}.",
        ),
    ] = CheckSettings.quick,
    fail_on: Annotated[
        str,
        _checks(
            metavar="VERDICT",
            help="Exit with 1 from this verdict on: rounding, reduced precision, unsteady, different, broken.",
        ),
    ] = CheckSettings.fail_on,
    time: Annotated[
        float | None,
        _latency(
            metavar="SECONDS",
            help="Time limit for the rounds.",
            show_default=f"{LatencySettings.time:g}, {QUICK_TIME:g} with --quick",
        ),
    ] = None,
    precision: Annotated[
        float, _latency(metavar="PERCENT", help="End the rounds early once every ratio is known to this.")
    ] = 100 * LatencySettings.precision,
    min_rounds: Annotated[
        int, _latency(metavar="N", help="Fewest rounds, even if they take longer than --time.")
    ] = LatencySettings.min_rounds,
    max_load: Annotated[
        float | None,
        _latency(
            metavar="PERCENT",
            help="Largest CPU load by other processes in a turn that counts.",
            show_default="5",
        ),
    ] = None,
    seed: Annotated[
        int, _latency(metavar="N", help="Seed of the order of turns, and of the intervals.")
    ] = LatencySettings.seed,
    pin: Annotated[bool, _latency("--pin", help="Pin each timed process to one CPU per thread.")] = LatencySettings.pin,
    memory: Annotated[
        float | None,
        _latency(metavar="GB", help="Memory that the timed processes may use together.", show_default="what is free"),
    ] = None,
    interference: Annotated[
        bool, _latency("--interference", help="Also time each runtime while the others are not suspended.")
    ] = LatencySettings.interference,
    grid: Annotated[
        str | None, _latency(metavar="SHAPES", help="Also time these sequences and batches, e.g. 32,128x1,4.")
    ] = None,
    out: Annotated[
        Path | None,
        _output(metavar="FOLDER", help="Folder for the report.", show_default="a new one in the cache"),
    ] = None,
    format_: Annotated[
        Format | None,
        _output(
            "--format",
            metavar="FORMAT",
            help=f"Format of stdout: {', '.join(Format)}.",
            show_default=Format.TERMINAL.value,
        ),
    ] = None,
    json: Annotated[bool, _output("--json", help="Short for --format json.")] = False,
    explain: Annotated[
        str | None, _output(metavar="RUNTIME", help="Show how this runtime's verdict was reached.")
    ] = None,
    keep_traces: Annotated[
        bool, _output("--keep-traces", help="Keep every tensor of every run.")
    ] = OutputSettings.keep_traces,
    cache_dir: Annotated[Path | None, _output(metavar="FOLDER", help="Folder of the cache.")] = None,
) -> None:
    """Compare a model across runtimes: gaps to a float64 run, latency, and which runtime to deploy.

    Exit codes: 0 no verdict at or beyond --fail-on, 1 one is, 2 wrong input, 3 what was asked for by name cannot run.
    """
    if context.invoked_subcommand is not None:
        return
    shape = chosen_format(format_, json=json)
    check_timed(shape, latency)
    settings = Settings.of(
        text=_text(text, text_file),
        sequence=sequence,
        batch=batch,
        exporter=exporter,
        onnx=onnx,
        baseline=baseline,
        offline=offline,
        fallback="seeded" if model is None else None,
        runtimes=_runtime_names(runtimes),
        threads=threads,
        timeout=timeout,
        latency=latency,
        decode=decode,
        quick=quick,
        fail_on=fail_on,
        time=time,
        precision=precision / 100,
        min_rounds=min_rounds,
        max_load=None if max_load is None else max_load / 100,
        seed=seed,
        pin=pin,
        memory=memory,
        interference=interference,
        grid=grid,
        out=out,
        keep_traces=keep_traces,
        cache_dir=cache_dir,
    )
    from compare.cli.live import command_progress

    with command_progress() as progress:
        from compare.pipeline.dispatch import run_comparison

        report = run_comparison(model, settings, progress)
        progress.stage("figures", "drawing figures and writing report.md")
        with progress.ticking():
            figures = _save(report)
    _render(report, shape, figures)
    if explain is not None:
        from compare.report.render.terminal import print_explanation

        print_explanation(report, explain)
    raise typer.Exit(report.exit_code())


def _runtime_names(given: str | None) -> list[str] | None:
    """Return the names in the value of --runtimes; None is all runtimes."""
    return None if given is None else names_in(given, "--runtimes", "python -m compare runtimes lists them")


def _text(text: str | None, path: Path | None) -> str | None:
    """Return the value of --text or the content of --text-file; None is the text that ships with the project.

    Raises `BadInput` if both were given, or if the file cannot be read.
    """
    if path is None:
        return text
    if text is not None:
        raise BadInput("--text and --text-file exclude each other; leave one out")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInput(f"--text-file {path} cannot be read: {why}") from error


def _save(report: "Report") -> int:
    """Write figures and Markdown into the report's folder, and return the number of figures."""
    from compare.report.render.markdown import to_markdown
    from compare.report.render.plots import draw_figures, save_figures

    assert report.folder is not None
    figures = save_figures(draw_figures(report), report.folder)
    (report.folder / "report.md").write_text(to_markdown(report, tuple(path.name for path in figures)))
    return len(figures)


def _render(report: "Report", shape: Format, figures: int) -> None:
    """Print the report to stdout in the format asked for. figures: how many are in its folder."""
    print_as(report, shape)
    if shape is Format.TERMINAL:
        print(f"report.json, report.md and {figures} figures are in {report.folder}")

"""The default command, which runs a comparison. Its defaults are those of `compare.pipeline.settings`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from compare.cli.arguments import names_in, options_in, path_parser, print_version, text_in, typed_command
from compare.pipeline.settings import (
    DEFAULT_MODEL,
    DEFAULT_SEQUENCE,
    QUICK_RUNTIMES,
    QUICK_SEQUENCE,
    QUICK_TIME,
    TIME,
    TIME_PER_RUNTIME,
    CheckSettings,
    InputSettings,
    LatencySettings,
    OutputSettings,
    RuntimeSettings,
    Settings,
)
from compare.report.render.formats import Format, check_timed, chosen_format
from compare.results.latency import FEWEST_ROUNDS
from export.errors import BadInput, near, quoted
from export.progress import SILENT

# `typer.Option` for each panel of --help. A panel holds one group of settings.
_input, _runtimes, _checks, _latency, _output = (
    partial(typer.Option, rich_help_panel=panel) for panel in ("Input", "Runtimes", "Checks", "Latency", "Output")
)


#: Options that can be given with --resume: what is printed, and where the report is.
_WITH_RESUME = {"resume", "format_", "full", "quiet", "json", "verbose", "explain", "cache_dir"}


def compare(
    context: typer.Context,
    model: Annotated[
        str | None,
        _input(metavar="NAME", help="Model: a name, a folder or a hub id.", show_default=DEFAULT_MODEL),
    ] = None,
    text: Annotated[
        str | None, _input(metavar="TEXT", help="Text that runs through the model.", show_default="the shipped text")
    ] = None,
    text_file: Annotated[
        Path | None, _input(metavar="FILE", help="File with the text.", parser=path_parser("text_file"))
    ] = None,
    sequence: Annotated[
        int | None,
        _input(metavar="N", help="Tokens in each sequence.", show_default=f"all of --text, or {DEFAULT_SEQUENCE}"),
    ] = None,
    batch: Annotated[int, _input(metavar="N", help="Number of sequences that run at once.")] = InputSettings.batch,
    exporter: Annotated[
        str, _input(metavar="NAME", help="Exporter of the graphs: dynamo, or optimum, which adds a row with dynamo's.")
    ] = InputSettings.exporter,
    onnx: Annotated[
        Path | None,
        _input(
            metavar="FILE",
            help="ONNX file to compare with the model, in a row of its own.",
            parser=path_parser("onnx"),
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        _input(
            metavar="FILE", help="ONNX file to compare --onnx with, instead of a model.", parser=path_parser("baseline")
        ),
    ] = None,
    offline: Annotated[bool, _input("--offline", help="Do not contact the hub.")] = InputSettings.offline,
    runtimes: Annotated[
        str | None, _runtimes(metavar="NAMES", help="Runtimes, separated by commas, or all.", show_default="six")
    ] = None,
    providers: Annotated[
        list[str] | None,
        _runtimes("--provider", metavar="NAME", help="Add a row with this execution provider; may be repeated."),
    ] = None,
    device: Annotated[
        str, _runtimes(metavar="DEVICE", help="Device of the runtimes: cpu, or cuda (an NVIDIA GPU).")
    ] = RuntimeSettings.device,
    options: Annotated[
        list[str] | None,
        _runtimes("--option", metavar="RUNTIME.KEY=VALUE", help="Option of a runtime; may be repeated."),
    ] = None,
    threads: Annotated[
        int | None, _runtimes(metavar="N", help="Threads in each runtime.", show_default="all cores")
    ] = None,
    timeout: Annotated[
        float, _runtimes(metavar="SECONDS", help="Longest wait for an answer of a process.")
    ] = RuntimeSettings.timeout,
    latency: Annotated[bool, _checks(help="Time the runtimes.")] = CheckSettings.latency,
    decode: Annotated[bool, _checks(help="Time and check decoding with a cache.")] = CheckSettings.decode,
    thorough: Annotated[
        bool,
        _checks(
            "--thorough",
            help="Also rerun with other batches, padding and threads, check three prefills, time all graphs.",
        ),
    ] = CheckSettings.thorough,
    quick: Annotated[
        bool,
        _checks(
            "--quick",
            help=f"Short comparison: {QUICK_SEQUENCE} tokens, {QUICK_TIME:g} seconds, {' and '.join(QUICK_RUNTIMES)}.",
        ),
    ] = CheckSettings.quick,
    fail_on: Annotated[
        str,
        _checks(
            metavar="VERDICT",
            help="Exit with 1 if a verdict is this or worse: rounding, reduced precision, unsteady, different, broken.",
        ),
    ] = CheckSettings.fail_on,
    time: Annotated[
        float | None,
        _latency(
            metavar="SECONDS",
            help="Time for the rounds of latency.",
            show_default=f"{TIME:g}, or {TIME_PER_RUNTIME:g} for each runtime; {QUICK_TIME:g} with --quick",
        ),
    ] = None,
    precision: Annotated[
        float, _latency(metavar="PERCENT", help="End the rounds once every ratio is known to this.")
    ] = 100 * LatencySettings.precision,
    min_rounds: Annotated[
        int | None,
        _latency(
            metavar="N", help="Fewest rounds, even if they take longer than --time.", show_default=str(FEWEST_ROUNDS)
        ),
    ] = None,
    max_load: Annotated[
        float | None,
        _latency(
            metavar="PERCENT",
            help="Repeat a turn in which other processes used more of the CPU than this.",
            show_default="5",
        ),
    ] = None,
    seed: Annotated[
        int, _latency(metavar="N", help="Seed of the order of turns and of the bootstrap.")
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
        str | None, _latency(metavar="SHAPES", help="Also time these lengths and batches, e.g. 32,128x1,4.")
    ] = None,
    out: Annotated[
        Path | None,
        _output(
            metavar="FOLDER",
            help="Folder for the report.",
            show_default="a new one in the cache",
            parser=path_parser("out"),
        ),
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
    full: Annotated[bool, _output("--full", help="Short for --format full, which has every table.")] = False,
    quiet: Annotated[
        bool, _output("--quiet", help="Short for --format quiet: the verdict and the advice alone, without progress.")
    ] = False,
    json: Annotated[bool, _output("--json", help="Short for --format json.")] = False,
    verbose: Annotated[
        bool, _output("--verbose", "-v", help="Show the log file of each process and the time of each phase.")
    ] = False,
    resume: Annotated[
        str | None,
        _output(metavar="REPORT", help="Resume an interrupted comparison, with its own settings."),
    ] = None,
    explain: Annotated[
        str | None, _output(metavar="RUNTIME", help="Show how this runtime's verdict was reached.")
    ] = None,
    keep_traces: Annotated[
        bool, _output("--keep-traces", help="Keep every tensor of every run.")
    ] = OutputSettings.keep_traces,
    cache_dir: Annotated[
        Path | None, _output(metavar="FOLDER", help="Folder of the cache.", parser=path_parser("cache_dir"))
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Compare a model across runtimes: gaps to a float64 run, latency, and which runtime to deploy.

    Exit codes: 0 no verdict is at or beyond --fail-on, 1 a verdict is, 2 wrong input, 3 a named model or runtime cannot
    run.
    """
    if context.invoked_subcommand is not None:
        return
    shape = chosen_format(format_, full=full, quiet=quiet, json=json)
    if shape is Format.QUIET and verbose:
        raise BadInput("--quiet and --verbose exclude each other; leave out one of them")
    check_timed(shape, latency)
    if resume is not None:
        check_resumed_alone(context)
    settings = Settings.of(
        text=text_in(text, text_file),
        sequence=sequence,
        batch=batch,
        exporter=exporter,
        onnx=onnx,
        baseline=baseline,
        offline=offline,
        fallback="seeded" if model is None else None,
        runtimes=_runtime_names(runtimes),
        providers=providers,
        device=device,
        options=options_in(options) if options else None,
        threads=threads,
        timeout=timeout,
        latency=latency,
        decode=decode,
        thorough=thorough,
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
        command=typed_command(),
    )
    if explain is not None:
        planned = settings if resume is None else begun_settings(resume, cache_dir)
        if planned is not None:
            check_explained(explain, planned)
    from compare.cli.live import command_progress
    from compare.cli.output import print_new, write_files

    with SILENT if shape is Format.QUIET else command_progress(verbose=verbose) as progress:
        from compare.pipeline.dispatch import resume_comparison, run_comparison
        from compare.report.saved import folder_named

        if resume is not None:
            report = resume_comparison(folder_named(resume, cache_dir), progress)
        else:
            report = run_comparison(model, settings, progress)
        progress.stage("figures", "drawing figures, and writing report.md and report.html")
        with progress.ticking():
            figures = write_files(report)
    print_new(report, shape, figures)
    if explain is not None:
        from compare.report.render.full import print_explanation

        print_explanation(report, explain)
    raise typer.Exit(report.exit_code())


def _runtime_names(given: str | None) -> list[str] | None:
    """Return the names in the value of --runtimes; None means all runtimes."""
    return None if given is None else names_in(given, "--runtimes", "python -m compare runtimes lists them")


def check_resumed_alone(context: typer.Context) -> None:
    """Raise `BadInput` if a setting was given with `--resume`, which has all of them from the report."""
    for parameter in context.command.params:
        source = context.get_parameter_source(name) if (name := parameter.name) else None
        if name not in _WITH_RESUME and source is not None and source.name == "COMMANDLINE":
            negated = parameter.secondary_opts and not context.params[name]  # such as --no-latency
            option = (parameter.secondary_opts if negated else parameter.opts)[0]
            raise BadInput(
                f"--resume goes on with the settings of the comparison, so {option} cannot be given; leave it out, or "
                "compare anew"
            )


def begun_settings(report: str, cache_dir: Path | None) -> Settings | None:
    """Return the settings of an unfinished comparison, given its name or folder; None if it cannot be resumed."""
    from compare.pipeline.resume import begun_in
    from compare.report.saved import folder_named
    from compare.report.unfinished import can_resume

    folder = folder_named(report, cache_dir)
    return begun_in(folder).settings if can_resume(folder) else None


def check_explained(runtime: str, settings: Settings) -> None:
    """Raise `BadInput` if the comparison will have no row of that name, which `--explain` asks for."""
    from compare.pipeline.rows import row_names
    from compare.pipeline.setting_checks import check_settings

    check_settings(settings)
    names = row_names(settings)
    if runtime not in names:
        raise BadInput(f"--explain: the comparison has no runtime {quoted(runtime)}; {near(runtime, names)}")

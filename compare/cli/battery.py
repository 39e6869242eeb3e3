"""The command `battery`: run attention kernels on hard inputs, without a model."""

from typing import Annotated

import typer

from compare.cli.arguments import names_in
from export.printing import print_json, print_line


def battery(
    kernels: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Kernels, separated by commas.", show_default="all")
    ] = None,
    cases: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Cases, separated by commas.", show_default="all")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout, and nothing else.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List kernels and cases, and run none.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the inputs.")] = 0,
    threads: Annotated[int | None, typer.Option(help="Threads in each kernel.", show_default="all cores")] = None,
    node_cases: Annotated[bool, typer.Option(help="Also run ONNX's node cases.")] = True,
    fail_on: Annotated[
        str | None,
        typer.Option(metavar="VERDICT", help="Exit with 1 if a verdict is this or worse, or if a kernel fails."),
    ] = None,
) -> None:
    """Run attention kernels on hard inputs, without a model.

    Exit codes: 0 success, 1 a verdict is at or beyond --fail-on, 2 wrong input, 3 a named kernel is not installed.
    """
    from compare.battery import text as battery_text
    from compare.battery.cases import CASES, cases_named
    from compare.battery.kernels.registry import BUILT_IN, kernels_named
    from compare.pipeline.setting_checks import check_at_least, check_fail_on, check_threads

    lists = "python -m compare battery --list lists them"
    chosen = BUILT_IN if kernels is None else kernels_named(names_in(kernels, "--kernels", lists))
    asked = list(CASES.values()) if cases is None else cases_named(names_in(cases, "--cases", lists))
    if list_:
        for line in battery_text.listing(chosen, asked):
            print_line(line)
        return
    check_at_least(0, "seed", seed)
    check_threads(threads)
    if fail_on is not None:
        check_fail_on(fail_on)
    from compare.battery.runner import run_battery
    from compare.cli.live import command_progress
    from compare.report.render.tables import print_table

    named = kernels is not None
    with command_progress() as progress:
        result = run_battery(
            chosen, asked, named=named, node_cases=node_cases, seed=seed, threads=threads, progress=progress
        )
    if json:
        print_json(result.model_dump_json(indent=1))
    else:
        for table in battery_text.tables(result):
            print_table(table)
        for line in battery_text.lines(result):
            print_line(line)
    raise typer.Exit(result.exit_code(fail_on))

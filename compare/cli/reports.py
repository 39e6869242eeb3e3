"""The commands that read saved reports and measure nothing: `show`, `rejudge`, `diff`."""

from pathlib import Path
from typing import Annotated

import typer

from compare.cli.arguments import path_parser
from compare.report.render.formats import Format, chosen_format, print_as
from export.printing import print_json, print_line

#: How the help describes an argument that names a report.
_REPORT = "A report: its name in the cache, its folder, or its report.json."

Saved = Annotated[str, typer.Argument(metavar="NAME", help=_REPORT)]

CacheDir = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Folder of the cache.", parser=path_parser("cache_dir"))
]


def show(
    report: Annotated[
        str | None, typer.Argument(metavar="NAME", help=_REPORT, show_default="the newest in the cache")
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"Format of stdout: {', '.join(Format)}.",
            show_default=Format.TERMINAL.value,
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Short for --format full, which has every table.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Short for --format quiet, which has the verdict and the advice alone.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Short for --format markdown, which fits a comment on GitHub.")
    ] = False,
    explain: Annotated[
        str | None, typer.Option(metavar="RUNTIME", help="Show how this runtime's verdict was reached.")
    ] = None,
    cache_dir: CacheDir = None,
) -> None:
    """Show a saved report. Nothing is measured, and no framework is needed."""
    shape = chosen_format(format_, full=full, quiet=quiet, json=json, markdown=markdown)
    from compare.report.saved import located, newest
    from compare.report.schema import Report

    loaded = Report.read(newest(cache_dir) if report is None else located(report, cache_dir))
    if explain is None:
        print_as(loaded, shape)
        return
    from compare.report.render.full import print_explanation

    print_explanation(loaded, explain)


def rejudge(
    report: Saved,
    rounding: Annotated[
        float, typer.Option(metavar="TIMES", help="Largest root mean square error that passes, in units of rounding.")
    ] = 2.0,
    cache_dir: CacheDir = None,
) -> None:
    """Judge a saved report by other limits. Nothing is measured.

    Exit codes: those of a comparison.
    """
    from compare.rejudge import rejudge as judge_again
    from compare.report.render.tables import print_table
    from compare.report.saved import located
    from compare.report.schema import Report
    from compare.report.sections import gaps

    judged = judge_again(Report.read(located(report, cache_dir)), rounding)
    for table in gaps.tables(judged):
        print_table(table)
    for line in gaps.sentences(judged):
        print_line(line)
    raise typer.Exit(judged.exit_code())


def diff(
    older: Annotated[str, typer.Argument(metavar="A", help=f"The older report. {_REPORT}")],
    newer: Annotated[str, typer.Argument(metavar="B", help="The newer report.")],
    fail_over: Annotated[
        float, typer.Option(metavar="PERCENT", help="Exit with 1 if a runtime became slower by more than this.")
    ] = 5.0,
    json: Annotated[
        bool, typer.Option("--json", help="Print the difference as JSON on stdout, and nothing else.")
    ] = False,
    cache_dir: CacheDir = None,
) -> None:
    """Show what became worse from one report to a newer one.

    Verdicts are compared, and latency relative to each report's own baseline.

    Exit codes: 0 no regression; 1 a verdict is worse and at or beyond the newer report's --fail-on, a runtime that ran
    fails now, or a runtime's whole interval is slower by more than --fail-over; 2 wrong input, or reports that cannot
    be compared.
    """
    from compare.diff import text as difference_text
    from compare.diff.compare import diff as difference_of
    from compare.report.render.tables import print_table
    from compare.report.saved import located
    from compare.report.schema import Report
    from compare.report.serialized import as_json

    first, second = (Report.read(located(name, cache_dir)) for name in (older, newer))
    difference = difference_of(first, second, fail_over)
    if json:
        print_json(as_json(difference))
    else:
        for line in difference_text.opening(difference):
            print_line(line)
        for table in difference_text.tables(difference):
            print_table(table)
        for line in difference_text.lines(difference):
            print_line(line)
    raise typer.Exit(difference.exit_code())

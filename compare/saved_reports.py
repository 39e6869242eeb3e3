"""The commands that read saved reports and measure nothing: `show`, `rejudge`. `cli.py` lists them."""

from pathlib import Path
from typing import Annotated

import typer

from compare.report.formats import Format, chosen_format, print_as

Saved = Annotated[Path, typer.Argument(help="A report's folder, or its report.json.")]


def show(
    report: Saved,
    format_: Annotated[
        Format | None, typer.Option("--format", help="Of what is on stdout; default terminal.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Short for --format markdown: with every tensor.")
    ] = False,
    explain: Annotated[
        str | None, typer.Option(help="How this runtime's verdict was reached.", show_default=False)
    ] = None,
) -> None:
    """Show a saved report again; nothing is measured, no framework is needed."""
    shape = chosen_format(format_, json=json, markdown=markdown)
    from compare.report.schema import Report

    loaded = Report.read(report)
    if explain is None:
        print_as(loaded, shape)
        return
    from compare.report.terminal import print_explanation

    print_explanation(loaded, explain)


def rejudge(
    report: Saved,
    rounding: Annotated[float, typer.Option(help="How many floors are still rounding; 2 by default.")] = 2.0,
) -> None:
    """Judge a saved report under other limits; nothing is measured. Exit codes as of a comparison."""
    from compare.rejudging import rejudge as judge_again
    from compare.report import tables, wording
    from compare.report.schema import Report
    from compare.report.terminal import print_table

    judged = judge_again(Report.read(report), rounding)
    print_table(tables.gap_table(judged))
    for line in wording.verdict_lines(judged):
        print(line)
    raise typer.Exit(judged.exit_code())

"""The formats that a report is printed in, by name; each is a file of its own, imported when it is asked for."""

from enum import StrEnum
from typing import TYPE_CHECKING

from export.errors import BadInput

if TYPE_CHECKING:
    from compare.report.schema import Report


class Format(StrEnum):
    """What `--format` takes."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"
    PYTEST_BENCHMARK = "pytest-benchmark"


def chosen_format(asked_for: Format | None, *, json: bool = False, markdown: bool = False) -> Format:
    """The format of `--format`, or of one of the options that are short for it; `terminal` where none was given.

    Raises `BadInput` where more than one was.

    >>> chosen_format(None, json=True), chosen_format(None)
    (<Format.JSON: 'json'>, <Format.TERMINAL: 'terminal'>)
    """
    given = {"--json": json, "--markdown": markdown, f"--format {asked_for}": asked_for is not None}
    options = [option for option, is_there in given.items() if is_there]
    if len(options) > 1:
        raise BadInput(f"{' and '.join(options)} go one at a time: each is a format of what is on stdout")
    return Format.JSON if json else Format.MARKDOWN if markdown else asked_for or Format.TERMINAL


def check_timed(shape: Format, timed: bool) -> None:
    """Raises `BadInput` where nothing was, or is to be, timed and the format holds nothing but times."""
    if shape is Format.PYTEST_BENCHMARK and not timed:
        raise BadInput(f"--format {shape} holds nothing but times, and --no-latency takes none; leave out one of them")


def print_as(report: "Report", shape: Format) -> None:
    """Print a report to stdout in one format, and nothing else. Raises `BadInput` as `check_timed` does."""
    check_timed(shape, bool(report.latency))
    match shape:
        case Format.TERMINAL:
            from compare.report.render.terminal import print_report

            print_report(report)
        case Format.JSON:
            print(report.model_dump_json(indent=1))
        case Format.MARKDOWN:
            from compare.report.render.markdown import to_markdown

            print(to_markdown(report), end="")
        case Format.PYTEST_BENCHMARK:
            from compare.report.render.pytest_benchmark import to_pytest_benchmark

            print(to_pytest_benchmark(report))

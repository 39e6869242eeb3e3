"""The formats in which a report can be printed. Each has a module, which is imported when it is needed."""

from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING

from export.errors import BadInput

if TYPE_CHECKING:
    from compare.report.schema import Report


class Format(StrEnum):
    """The values of `--format`."""

    #: The module whose `print_report` prints the format.
    module: str

    #: Whether the format contains only times.
    only_times: bool

    TERMINAL = "terminal", "compare.report.render.terminal"
    FULL = "full", "compare.report.render.full"
    QUIET = "quiet", "compare.report.render.quiet"
    JSON = "json", "compare.report.render.report_json"
    MARKDOWN = "markdown", "compare.report.render.markdown"
    HTML = "html", "compare.report.render.page.page"
    PYTEST_BENCHMARK = "pytest-benchmark", "compare.report.render.pytest_benchmark", True

    def __new__(cls, name: str, module: str, only_times: bool = False) -> "Format":
        member = str.__new__(cls, name)
        member._value_ = name
        member.module = module
        member.only_times = only_times
        return member


def chosen_format(asked_for: Format | None, **short: bool) -> Format:
    """Return the format that `--format` or one of its short forms names; `terminal` if none was given.

    short: name of a format -> whether its short form was given, such as `json=True` for `--json`.
    Raises `BadInput` if more than one was given.

    >>> chosen_format(None, json=True, full=False), chosen_format(None)
    (<Format.JSON: 'json'>, <Format.TERMINAL: 'terminal'>)
    """
    given = {f"--{name}": Format[name.upper()] for name, is_there in short.items() if is_there}
    if asked_for is not None:
        given[f"--format {asked_for}"] = asked_for
    if len(given) > 1:
        raise BadInput(f"{' and '.join(given)} exclude each other: each sets the format of stdout; give one of them")
    return next(iter(given.values()), Format.TERMINAL)


def check_timed(shape: Format, timed: bool) -> None:
    """Raise `BadInput` if a format contains only times and the report has none. timed: whether it has times."""
    if shape.only_times and not timed:
        raise BadInput(
            f"--format {shape} contains only times, and with --no-latency there are none; leave out one of them"
        )


def print_as(report: "Report", shape: Format) -> None:
    """Print a report to stdout in one format. Raises `BadInput` if `check_timed` does."""
    check_timed(shape, bool(report.latency))
    import_module(shape.module).print_report(report)

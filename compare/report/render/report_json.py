"""Print a report as JSON, as it is saved."""

from compare.report.schema import Report


def print_report(report: Report) -> None:
    """Print a report to stdout."""
    print(report.model_dump_json(indent=1))

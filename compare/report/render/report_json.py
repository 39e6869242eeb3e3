"""Print a report as JSON, as it is saved."""

from compare.report.schema import Report
from export.printing import print_json


def print_report(report: Report) -> None:
    """Print a report to stdout."""
    print_json(report.model_dump_json(indent=1))

"""Print a report as JSON, as it is saved."""

from compare.report.schema import Report
from compare.report.serialized import as_json
from export.printing import print_json


def print_report(report: Report) -> None:
    """Print a report to stdout."""
    print_json(as_json(report))

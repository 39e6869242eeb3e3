"""The verdict and the advice alone, one sentence a line."""

from compare.report.schema import Report
from compare.report.screen import screen
from export.printing import print_line


def print_report(report: Report) -> None:
    """Print them to stdout."""
    shown = screen(report)
    for sentence in (*shown.verdict, *shown.advice):
        print_line(sentence)

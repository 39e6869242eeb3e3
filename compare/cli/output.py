"""Writes the files of a new report, and prints it."""

from compare.report.render.formats import Format, print_as
from compare.report.schema import Report
from export.disk import writing


def write_files(report: Report) -> int:
    """Write figures, Markdown and the page into the report's folder, and return the number of figures."""
    from compare.report.render.markdown import LONGEST, to_markdown
    from compare.report.render.page.page import save_page
    from compare.report.render.plots.figures import draw_figures, save_figures
    from compare.report.saved import being_written

    assert report.folder is not None
    with (
        writing(report.folder, "free some space, then show --format html makes the page"),
        being_written(report.folder),
    ):
        figures = save_figures(draw_figures(report), report.folder)
        (report.folder / "report.md").write_text(to_markdown(report, tuple(path.name for path in figures), LONGEST))
        save_page(report)
    return len(figures)


def print_new(report: Report, shape: Format, figures: int) -> None:
    """Print a new report to stdout in the format asked for. figures: how many are in its folder."""
    print_as(report, shape)
    if shape is Format.FULL:
        print(f"report.json, report.md, report.html and {figures} figures are in {report.folder}")

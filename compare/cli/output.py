"""Writes the files of a new report, and prints it."""

from compare.report.render.formats import Format, print_as
from compare.report.schema import Report
from export.command import NO_ROOM
from export.printing import print_line


def write_files(report: Report) -> int:
    """Write figures, Markdown and the page into the report's folder, and return the number of figures.

    Raises `OSError` if the disk is full, and `BadInput` if the folder cannot be written to any more.
    """
    from compare.pipeline.paths import unwritable
    from compare.report.head_maps import head_maps
    from compare.report.render.markdown import LONGEST, to_markdown
    from compare.report.render.page.page import save_page
    from compare.report.render.plots.figures import draw_figures, save_figures
    from compare.report.saved import being_written

    folder = report.folder
    assert folder is not None
    try:
        with being_written(folder), head_maps(report):  # the maps are opened once for the figures and the page
            figures = save_figures(draw_figures(report), folder)
            text = to_markdown(report, tuple(path.name for path in figures), LONGEST)
            (folder / "report.md").write_text(text, encoding="utf-8")
            save_page(report)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise  # `export.command.finish` says so
        raise unwritable(folder, error) from error
    return len(figures)


def print_new(report: Report, shape: Format, figures: int) -> None:
    """Print a new report to stdout in the format asked for. figures: how many are in its folder."""
    print_as(report, shape)
    if shape is Format.FULL:
        print_line(f"report.json, report.md, report.html and {figures} figures are in {report.folder}")

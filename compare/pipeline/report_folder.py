"""The folder of a report, which a comparison makes and writes to alone."""

import shutil
from contextlib import ExitStack
from datetime import datetime
from itertools import count
from pathlib import Path

from compare.pipeline.context import INPUTS
from compare.pipeline.setting_checks import make_folder
from compare.pipeline.settings import OutputSettings
from compare.report.saved import being_written, reports_in
from compare.report.schema import REPORT_FILE
from export.disk import writing
from export.errors import BadSetting


def make_report_folder(output: OutputSettings, name: str, held: ExitStack) -> Path:
    """Create the report's folder, by default a new one under cache/reports, with an empty scratch folder in it.

    name: the end of the new folder's name. held: removes the scratch folder unless traces are
    kept, and lets go of the folder, which no other comparison may write to. Raises
    `BadInput` if the folder cannot be written to, if another comparison writes to it, or if it has a scratch folder
    that no comparison made.
    """
    out = output.out or new_folder(reports_in(output.cache_dir), name)
    make_folder(out)
    held.enter_context(writing(out, "free some space, or choose another folder with --out"))
    held.enter_context(being_written(out))
    scratch = out / "scratch"
    if (scratch / INPUTS).is_dir() or is_empty(scratch):  # left by a run that kept its traces, or was killed
        shutil.rmtree(scratch)
    if scratch.exists():
        raise BadSetting(
            "{scratch} exists and was not made by a comparison; set {out} to another folder", scratch=scratch
        )
    (out / REPORT_FILE).unlink(missing_ok=True)  # else it could be taken for the report of this run if this run fails
    make_folder(scratch)
    if not output.keep_traces:
        held.callback(shutil.rmtree, scratch, ignore_errors=True)
    return out


def is_empty(folder: Path) -> bool:
    """Whether there is a folder with nothing in it."""
    return folder.is_dir() and not any(folder.iterdir())


def new_folder(reports: Path, name: str) -> Path:
    """Make a folder that has the time and a name in its name, and a number if another comparison has just taken that.

    Raises `BadInput` if it cannot be made.
    """
    make_folder(reports)
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    for number in count(1):
        folder = reports / (f"{stamp}-{name}" if number == 1 else f"{stamp}-{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        break
    return folder

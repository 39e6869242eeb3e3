"""Make the folder of a report, which a comparison writes to alone."""

import shutil
from contextlib import ExitStack, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from compare.pipeline.paths import make_folder, unwritable
from compare.pipeline.settings import OutputSettings
from compare.report.folder import LOGS, SCRATCH, clear, discard, foreign_files, is_unfinished, mark
from compare.report.saved import being_written, reports_in
from compare.report.schema import REPORT_FILE
from export.errors import BadSetting, quoted

#: The most bytes of a name in that of a folder, which has at most 255.
_LONGEST = 200


def make_report_folder(output: OutputSettings, name: str, held: ExitStack) -> Path:
    """Create the report's folder, by default a new one under cache/reports, with an empty scratch folder in it.

    name: the end of the new folder's name. held: lets go of the folder, which no other comparison may write to. If it
    is closed by an error before anything was measured, the folder is as it was; else the folder then has no scratch
    folder, unless traces are kept, and no empty folder of logs. The rows of an unfinished comparison stay
    (`compare.report.folder.clear`). Raises `BadInput` if the folder cannot be written to, if another comparison writes
    to it, or if it has files that no comparison wrote.
    """
    out, made = output.out, None
    if out is None:
        out = made = new_folder(reports_in(output.cache_dir), name)
    else:
        check_own(out)
        made = next((folder for folder in (*reversed(out.parents), out) if not folder.exists()), None)
        make_folder(out)
    held.enter_context(being_written(out))
    check_own(out)

    def tidy(error: Any, *_: Any) -> None:
        if error is not None and not is_unfinished(out) and not (out / REPORT_FILE).exists():
            discard(out, made)
            return
        if not output.keep_traces:
            shutil.rmtree(out / SCRATCH, ignore_errors=True)
        with suppress(OSError):  # there are none, or some are kept
            (out / LOGS).rmdir()

    held.push(tidy)
    try:
        clear(out)
        mark(out)
        (out / SCRATCH).mkdir()
    except OSError as error:
        raise unwritable(out, error) from error
    return out


def check_own(out: Path) -> None:
    """Raise `BadInput` if a folder exists and has files that no comparison wrote, or if it is no folder."""
    try:
        foreign = foreign_files(out) if out.exists() else []
    except OSError as error:
        raise unwritable(out, error) from error
    if foreign:
        more = f" and {len(foreign) - 1:,} more" if len(foreign) > 1 else ""
        raise BadSetting(
            "the folder {folder} has {name}{more}, which no comparison wrote; set {out} to a new or an empty folder",
            folder=out,
            name=quoted(foreign[0]),
            more=more,
        )


def new_folder(reports: Path, name: str) -> Path:
    """Make a folder that has the time and a name in its name, and a number if another comparison has just taken that.

    Raises `BadInput` if it cannot be made.
    """
    make_folder(reports)
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    name = name.encode()[:_LONGEST].decode(errors="ignore")
    for number in count(1):
        folder = reports / (f"{stamp}-{name}" if number == 1 else f"{stamp}-{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise unwritable(folder, error) from error
        break
    return folder

"""The reports that are saved in the cache: found by their names, and listed."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from compare.report.folder import LOCK, is_unfinished
from compare.report.schema import REPORT_FILE, Report
from compare.report.unfinished import can_resume, saved_names
from export.cache import cache_root
from export.errors import BadInput, BadSetting, first_line, quoted, similar
from export.outside import reason, unreadable
from export.removal import size_of

#: The command that lists the names of reports, for messages.
LISTS = "python -m compare list lists the names"


def reports_in(root: Path | None = None) -> Path:
    """Return the folder of a cache that holds its reports.

    root: the folder of the cache; None is the default one. Raises `BadInput` if that is below an unknown home folder.
    """
    return cache_root(root) / "reports"


def folders(root: Path | None = None) -> list[Path]:
    """Return the folder of every report in a cache, and of every comparison that has none yet or failed.

    Raises `BadInput` if the cache's folder of reports cannot be read.
    """
    reports = reports_in(root)
    try:
        return [path for path in reports.glob("[!.]*") if path.is_dir() and not path.is_symlink()]
    except OSError as error:
        raise unreadable(reports, "folder of reports", reason(error), "name another cache with --cache-dir") from error


def newest(root: Path | None = None) -> Path:
    """Return the folder of the report in a cache that was written last. Raises `BadInput` if the cache has no report.

    root: the folder of the cache; None is the default one.
    """
    saved = [folder for folder in folders(root) if (folder / REPORT_FILE).is_file()]
    if not saved:
        raise BadInput(f"no report in {reports_in(root)}; python -m compare writes one, or name the folder of another")
    return max(saved, key=changed)


def how_to_resume(folder: Path) -> str:
    """Return which command goes on with an unfinished comparison. folder: the report's folder."""
    name = folder.name if folder.parent == reports_in() else str(folder)
    return f"python -m compare --resume {shlex.quote(name)} goes on"


def unfinished_words(folder: Path) -> str:
    """Return in words that a comparison is unfinished, and what goes on with it. folder: the report's folder."""
    if can_resume(folder):
        return f"unfinished, with {len(saved_names(folder))} rows saved; {how_to_resume(folder)}"
    return "unfinished: it is running, or it failed or was stopped; compare again"


def is_newest(folder: Path) -> bool:
    """Whether a folder has the report in the default cache that was written last."""
    try:
        return newest().samefile(folder)
    except (BadInput, OSError, ImportError):  # a report is shown without platformdirs, which the default cache needs
        return False


def located(given: str, root: Path | None = None) -> Path:
    """Return the path of a saved report: its folder or its file.

    given: a path, or the name of a report in a cache. root: the folder of the cache; None is the default one. Raises
    `BadInput` if it is neither; the message has names that are similar. Raises it also for a comparison that has not
    finished; the message has the command that goes on.
    """
    path = folder_named(given, root)
    if is_unfinished(path) and not (path / REPORT_FILE).is_file():
        raise BadInput(f"{path} is {unfinished_words(path)}")
    return path


def folder_named(given: str, root: Path | None = None) -> Path:
    """Do the same as `located`, also for a comparison that has not finished."""
    path = Path(given)
    if _exists(path):
        return path
    if path.name == given:
        names = [folder.name for folder in folders(root)]
        if given in names:
            return reports_in(root) / given
        raise BadInput(f"no report {quoted(given)}; {' '.join(filter(None, (similar(given, names), LISTS)))}")
    raise BadInput(f"no report at {path}; {LISTS} of those in the cache")


@dataclass(frozen=True)
class Saved:
    """A folder of the cache's reports."""

    folder: Path
    #: When its report was written, or else when the folder was changed, in local time.
    changed: datetime
    #: The size of all of its files, in bytes.
    bytes: int
    #: Its report; None if it has none that can be read.
    report: Report | None
    #: Why it has no report; empty if it has one.
    why: str


def listing(root: Path | None = None) -> list[Saved]:
    """Return what is in a cache's folder of reports, newest first. root: the cache; None is the default one."""
    return [_saved(folder) for folder in sorted(folders(root), key=changed, reverse=True)]


@contextmanager
def being_written(folder: Path) -> Iterator[None]:
    """Mark a folder as being written during the `with` block, so that it is not removed.

    Raises `BadInput` if another process writes to it, or if it cannot be locked.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BadSetting(
            "another comparison is writing to {folder}; wait for it, or set {out} to another folder", folder=folder
        ) from None
    except (OSError, NotImplementedError) as error:  # the latter: the file system has no locks
        why = error.strerror if isinstance(error, OSError) else first_line(error)
        words = "the folder {folder} cannot be locked: {why}; set {out} to another folder"
        raise BadSetting(words, folder=folder, why=why) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows does not delete an open file
            (folder / LOCK).unlink()
        lock.release()


def is_being_written(folder: Path) -> bool:
    """Whether a process writes to a folder, or may write to it because the folder is another user's."""
    if not (folder / LOCK).exists():
        return False
    try:
        with being_written(folder):
            return False
    except BadInput:
        return True


def changed(folder: Path) -> float:
    """Return when a folder's report was written, or else when the folder was changed, in seconds since 1970.

    It is 0 for a folder that another process has just removed.
    """
    file = folder / REPORT_FILE
    try:
        return (file if file.is_file() else folder).stat().st_mtime
    except OSError:
        return 0.0


def _saved(folder: Path) -> Saved:
    report, why = None, ""
    try:
        report = Report.read(folder)
    except BadInput:
        why = "unreadable" if (folder / REPORT_FILE).is_file() else "no report"
    if is_being_written(folder):
        why = why and "being written"
    elif is_unfinished(folder):
        why = "unfinished"
    return Saved(folder, datetime.fromtimestamp(changed(folder)), size_of(folder), report, why)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no file can have this name
        return False

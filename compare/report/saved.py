"""The reports that are saved in the cache."""

from pathlib import Path

from compare.report.schema import REPORT_FILE
from export.cache import cache_root
from export.errors import BadInput


def newest(root: Path | None = None) -> Path:
    """Return the folder of the report in a cache that was written last. Raises `BadInput` if the cache has no report.

    root: the folder of the cache; None is the default one.
    """
    reports = (root or cache_root()) / "reports"
    saved = sorted(reports.glob(f"*/{REPORT_FILE}"), key=lambda file: file.stat().st_mtime)
    if not saved:
        raise BadInput(f"no report in {reports}; python -m compare writes one, or name the folder of another")
    return saved[-1].parent


def is_newest(folder: Path) -> bool:
    """Whether a folder has the report in the default cache that was written last."""
    try:
        return newest().samefile(folder)
    except (BadInput, OSError, ImportError):  # a report is shown without platformdirs, which the default cache needs
        return False

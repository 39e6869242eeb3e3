"""The commands that list and remove what comparisons leave in the cache: reports, and golden runs."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compare.cli.reports import CacheDir
from export.errors import BadInput, similar
from export.outside import present
from export.printing import print_json, print_line, printable

if TYPE_CHECKING:
    from compare.report.saved import Saved

#: The units of --older-than.
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def list_(
    json: Annotated[bool, typer.Option("--json", help="Print the list as JSON on stdout, and nothing else.")] = False,
    cache_dir: CacheDir = None,
) -> None:
    """List the reports in the cache, newest first."""
    from compare.report.saved import listing, reports_in, unfinished_words
    from compare.report.unfinished import can_resume

    found = listing(cache_dir)
    if json:
        from json import dumps

        print_json(dumps([_facts(saved) for saved in found], indent=1))
        return
    if found:
        _print_list(found)
    else:
        print_line(f"no report in {reports_in(cache_dir)}; python -m compare writes one", sys.stderr)
    for saved in found:
        if saved.why == "unfinished" and can_resume(saved.folder):
            print_line(f"{saved.folder.name} is {unfinished_words(saved.folder)}")
    golden = _golden_runs(cache_dir)
    if golden:
        size = _megabytes(sum(each.bytes for each in golden))
        print_line(f"{len(golden)} golden runs, {size}: python -m compare remove --golden removes them")


def remove(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Reports in the cache.", show_default="none")
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Remove what is older than this, in hours, days or weeks: 12h, 30d, 4w."),
    ] = None,
    golden: Annotated[
        bool, typer.Option("--golden", help="Remove golden runs, not reports. Later comparisons compute them again.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask. It never asks about names, or without a terminal.")
    ] = False,
    cache_dir: CacheDir = None,
) -> None:
    """Remove reports or golden runs from the cache.

    It says how much that frees. Only folders of the cache are removed, and no report that a comparison is writing.

    Exit codes: 0 success, also if there was nothing to remove; 2 wrong input.
    """
    if names and (golden or older_than is not None):
        raise BadInput("names exclude --older-than and --golden; give one or the other")
    if not names and not golden and older_than is None:
        raise BadInput("nothing to remove was named; give NAME, --older-than AGE or --golden; python -m compare list")
    if names:
        chosen = [_named(name, cache_dir) for name in dict.fromkeys(names)]
    else:
        limit = None if older_than is None else datetime.now() - age_in(older_than)
        found = _golden_runs(cache_dir) if golden else _removable(cache_dir)
        chosen = [each for each in found if limit is None or each.changed < limit]
    if not chosen:
        print_line("nothing to remove")
        return
    asks = not names and not yes and not dry_run and at_a_terminal()
    if asks or dry_run:
        for each in chosen:
            print_line(f"{'would remove ' if dry_run else ''}{each.folder.name}  {_megabytes(each.bytes)}")
        print_line(f"{'this would free' if dry_run else 'in all'} {_megabytes(sum(each.bytes for each in chosen))}")
    if dry_run or (asks and not typer.confirm("Remove them?")):
        return
    _remove(chosen)


def at_a_terminal() -> bool:
    """Whether somebody can read a question and answer it."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def age_in(given: str) -> timedelta:
    """Return the value of --older-than. Raises `BadInput` unless it is a number with a unit.

    >>> age_in("36h"), age_in("2w")
    (datetime.timedelta(days=1, seconds=43200), datetime.timedelta(days=14))
    """
    found = re.fullmatch(r"(\d{1,4}(?:\.\d+)?)([hdw])", given)
    if found is None:
        units = ", ".join(f"{letter} ({word})" for letter, word in _UNITS.items())
        raise BadInput(f"--older-than is {given!r}; it must be a number and a unit, such as 30d: {units}")
    return timedelta(**{_UNITS[found[2]]: float(found[1])})


@dataclass(frozen=True)
class _Removable:
    """A folder of the cache that may be removed."""

    folder: Path
    #: When it was written, or last used, in local time.
    changed: datetime
    #: The size of all of its files, in bytes.
    bytes: int


def _golden_runs(cache_dir: Path | None) -> list[_Removable]:
    """Return the golden runs of a cache, the least recently used first."""
    from compare.numerics.golden_cache import GOLDEN_RUNS, stored
    from export.cache import cache_root
    from export.removal import size_of

    return [
        _Removable(folder, datetime.fromtimestamp(folder.stat().st_mtime), size_of(folder))
        for folder in stored(cache_root(cache_dir) / GOLDEN_RUNS)
    ]


def _removable(cache_dir: Path | None) -> list[_Removable]:
    """Return the reports of a cache, newest first, without those that are being written."""
    from compare.report.saved import changed, folders, is_being_written

    found = []
    for folder in sorted(folders(cache_dir), key=changed, reverse=True):
        if is_being_written(folder):
            print_line(f"{folder.name} is being written, so it stays", sys.stderr)
        else:
            found.append(_report(folder))
    return found


def _report(folder: Path) -> _Removable:
    from compare.report.saved import changed
    from export.removal import size_of

    return _Removable(folder, datetime.fromtimestamp(changed(folder)), size_of(folder))


def _named(name: str, cache_dir: Path | None) -> _Removable:
    """Return a report of a cache. name: its name or its path.

    Raises `BadInput` if it is not in the cache, or if it is being written.
    """
    from compare.report.saved import LISTS, folders, is_being_written, reports_in

    reports = reports_in(cache_dir)
    folder = reports / name if Path(name).name == name else Path(name)
    known = {each.resolve(): each for each in folders(cache_dir)}
    if not present(folder, "report", LISTS) or folder.is_symlink() or folder.resolve() not in known:
        near = similar(folder.name, [each.name for each in known])
        raise BadInput(f"no report {name!r} in {reports}; {' '.join(filter(None, (near, LISTS)))}")
    folder = known[folder.resolve()]
    if is_being_written(folder):
        raise BadInput(f"{folder.name} is being written; end that comparison first, or wait for it")
    return _report(folder)


def _remove(chosen: Sequence[_Removable]) -> None:
    from compare.report.saved import is_being_written
    from export.removal import remove as remove_folder

    freed = 0
    for each in chosen:
        if is_being_written(each.folder):  # since the question was asked
            print_line(f"{each.folder.name} is being written, so it stays", sys.stderr)
            continue
        size = remove_folder(each.folder)
        print_line(f"removed {each.folder.name}  {_megabytes(size)}")
        freed += size
    print_line(f"freed {_megabytes(freed)}")


def _print_list(found: Sequence["Saved"]) -> None:
    """Print a table of reports. Names are not shortened, because other commands take them."""
    from rich.table import Table
    from rich.text import Text

    from compare.report.render.tables import stdout

    console = stdout()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("name", "date", "model", "verdict"):
        table.add_column(heading, no_wrap=heading in ("name", "date"), overflow="fold")
    table.add_column("MB", justify="right", no_wrap=True)
    for saved in found:
        cells = (saved.folder.name, f"{saved.changed:%Y-%m-%d}", _model(saved), _verdict(saved))
        table.add_row(*(Text(printable(cell, console.encoding)) for cell in cells), f"{saved.bytes / 1e6:,.1f}")
    console.print(table)


def _facts(saved: "Saved") -> dict[str, object]:
    """Return what JSON says of a report."""
    report = saved.report
    return {
        "name": saved.folder.name,
        "created": report.created if report else None,
        "model": _model(saved) if report else None,
        "verdict": report.worst if report else None,
        "exit_code": report.exit_code() if report else None,
        "bytes": saved.bytes,
        "problem": saved.why or None,
    }


def _model(saved: "Saved") -> str:
    if saved.report is None:
        return "–"
    return saved.report.model.name if saved.report.model else saved.report.subject


def _verdict(saved: "Saved") -> str:
    return saved.why or (saved.report.worst if saved.report else None) or "–"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"

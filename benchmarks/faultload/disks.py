"""A full disk, a cache that cannot be written to, and a clock that is set back.

Small file systems in memory are mounted where this process may do that. Elsewhere, full disks are left out, and the
case says so.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faultload.cases import Case
from benchmarks.faultload.commands import compare, export, run, tiny_folder, workspace
from benchmarks.faultload.kills import leftovers
from benchmarks.progress import one_by_one
from export.cache import checked, entries, entry_in

#: The sizes of full disks in kB. An export of the tiny model takes about 1.5 MB; the largest is enough for it.
SIZES = (64, 512, 1024, 1152, 1216, 1280, 1344, 1408, 1472, 1536)

#: A time that is ahead of every clock here, in seconds since 1970: the year 2100.
FUTURE = 4_102_444_800


def load(*, quick: bool) -> list[Case]:
    """Run everything. quick: on two full disks only."""
    with workspace() as folder:
        model = tiny_folder(folder / "tiny")
        cache = folder / "cache"
        made = run(export(model), cache)
        assert made.code == 0, made.stderr
        sizes = SIZES[3::6] if quick else SIZES
        return [
            full_export(folder, model, sizes),
            full_report(folder, model, cache, sizes[:3]),
            *read_only(folder, model, cache),
            clock_back(model, cache),
        ]


@contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[bool]:
    """Mount a file system of so many kB at a new folder. Yield whether it could be mounted."""
    place.mkdir()
    mounted = _mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place))
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", place], check=True)
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def read_only_copy(folder: Path) -> Iterator[bool]:
    """Make a folder read-only for every user, root too. Yield whether that could be done."""
    mounted = _mount("--bind", str(folder), str(folder)) and _mount("-o", "remount,ro,bind", str(folder))
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=True)


def full_export(folder: Path, model: Path, sizes: tuple[int, ...]) -> Case:
    """Export onto disks that become full. Afterwards, with more space, the export works."""
    case = Case("disks", "the disk becomes full during an export", "one line, nothing left; with space, it works")
    for number, size in enumerate(one_by_one("full disk", sizes)):
        with small_disk(folder / f"full-{number}", size) as mounted:
            if not mounted:
                case.count("no file system could be mounted")
                continue
            disk = folder / f"full-{number}"
            refused = run(export(model), disk / "cache")
            problems = refused.problems([2, 3]) if not entries(disk / "cache") else []
            problems += [*leftovers(disk / "cache")]
            _mount("-o", "remount,size=64m", str(disk))
            problems += run(export(model), disk / "cache").problems([0])
        case.count(f"{size} kB: {problem}" for problem in problems)
    return case


def full_report(folder: Path, model: Path, cache: Path, sizes: tuple[int, ...]) -> Case:
    """Compare with a report's folder on a disk that becomes full."""
    case = Case("disks", "the disk becomes full during a comparison", "one line, no report; with space, it works")
    arguments: list[str | Path] = ["--model", model, "--quick", "--threads", "1", "--no-latency"]
    for number, size in enumerate(one_by_one("full disk", sizes)):
        with small_disk(folder / f"out-{number}", size) as mounted:
            if not mounted:
                case.count("no file system could be mounted")
                continue
            disk = folder / f"out-{number}"
            refused = run(compare(*arguments, "--out", disk / "report"), cache)
            problems = refused.problems([2, 3])
            problems += ["it has a report"] if (disk / "report" / "report.json").is_file() else []
            _mount("-o", "remount,size=64m", str(disk))
            problems += run(compare(*arguments, "--out", disk / "report"), cache).problems([0])
        case.count(f"{size} kB: {problem}" for problem in problems)
    return case


def read_only(folder: Path, model: Path, cache: Path) -> Iterator[Case]:
    """Use a cache that cannot be written to: what is in it is used, and what would be added to it is refused."""
    used = Case("disks", "read-only cache, the model is in it", "it is used")
    refused = Case("disks", "read-only cache, the model is not in it", "one line, exit 2")
    other = tiny_folder(folder / "another")
    with read_only_copy(cache) as mounted:
        if mounted:
            arguments: list[str | Path] = ["--model", model, "--quick", "--threads", "1", "--no-latency"]
            used.count(run(export(model), cache).problems([0]))
            used.count(run(compare(*arguments, "--out", folder / "elsewhere"), cache).problems([0]))
            refused.count(run(export(other), cache).problems([2, 3], said="its file system is read-only"))
            refused.count(run(compare(*arguments), cache).problems([2], said="its file system is read-only"))
            refused.count(run(export("--remove", model.name), cache).problems([2, 3]))
        else:
            for case in (used, refused):
                case.count("no folder could be made read-only")
    yield from (used, refused)


def clock_back(model: Path, cache: Path) -> Case:
    """Use a cache whose files are from the future, as after the clock was set back."""
    case = Case("disks", "the clock was set back: every file of the cache is from the future", "the cache is used")
    for path in cache.rglob("*"):
        os.utime(path, (FUTURE, FUTURE))
    (entry,) = entries(cache)
    checked(entry_in(entry.folder))
    case.count(run(export(model), cache).problems([0]))
    arguments: list[str | Path] = ["--model", model, "--quick", "--threads", "1", "--no-latency"]
    for number in range(2):
        case.count(run(compare(*arguments), cache).problems([0]))
        if number == 0:
            for path in (cache / "reports").rglob("*"):
                os.utime(path, (FUTURE, FUTURE))
    case.count(run(compare("list"), cache).problems([0]))
    case.count(run(compare("show"), cache).problems([0]))
    return case


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True).returncode == 0

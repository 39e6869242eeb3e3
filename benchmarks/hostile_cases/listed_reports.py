"""Reports in the cache: their names, and what stands in their place."""

from collections.abc import Iterator

from benchmarks.hostile_cases.case import Case, Make, mechanism
from benchmarks.hostile_cases.common import TITLE
from benchmarks.hostile_cases.files import after, file, folder, link, pipe
from benchmarks.hostile_cases.tiny_reports import report

#: The reports of a cache, one of them, its file, and the lock of its folder.
_REPORTS = "c/reports"
_ONE = f"{_REPORTS}/a"
_FILE, _LOCK = f"{_ONE}/report.json", f"{_ONE}/.lock"

#: Sets the title and the colours of a terminal.
_TAKEN = f"{TITLE}\x9b7m"

#: What stands in the cache.
_MAKES: dict[str, Make] = {
    "a name that takes the terminal": report(name=f"{_REPORTS}/{_TAKEN}/report.json"),
    "a name of lines": report(name=f"{_REPORTS}/a\nb/report.json"),
    "a name that is no text": report(name=f"{_REPORTS}/\udcff/report.json"),
    "a model that takes the terminal": report((("model", "name"), _TAKEN), name=_FILE),
    "a report that is none": file(_FILE, b"\xff"),
    "a pipe": pipe(_FILE),
    "a folder in the place of a report": folder(_FILE),
    "a device without an end": link(_FILE, "/dev/zero"),
    "a link to itself": link(_ONE, "a"),
    "a file": file(_ONE),
    "a lock that is a folder": after(report(name=_FILE), folder(_LOCK)),
    "a lock that is a pipe": after(report(name=_FILE), pipe(_LOCK)),
    "a lock that is a link": after(report(name=_FILE), link(_LOCK, "../../../mine")),
}


def cases() -> Iterator[Case]:
    """Yield the cases."""
    of = mechanism("reports in the cache: names and contents", codes=(0,), fast=True, writes=(_LOCK,))
    here = ("--cache-dir", "c")
    for words, make in _MAKES.items():
        yield of(f"{words}, list", "compare", "list", *here, make=make)
        yield of(f"{words}, list --json", "compare", "list", "--json", *here, make=make)
        yield of(f"{words}, show", "compare", "show", *here, make=make, codes=(0, 2))
        old = ("--older-than", "0d", "--dry-run")
        yield of(f"{words}, remove", "compare", "remove", *old, *here, make=make, codes=(0, 2))
    removed = ("compare", "remove", "a", *here)
    linked = after(file("mine/a", "mine"), report(name=_FILE), link(f"{_ONE}/out", "../../../mine"))
    yield of("a report with a link out of it, remove", *removed, make=linked, writes=("c",))
    linked = after(report(name="mine/report.json"), folder(_REPORTS), link(_ONE, "../../mine"))
    yield of("a link out of the cache, remove", *removed, make=linked, codes=(2,))

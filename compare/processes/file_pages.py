"""Pages of files: give a forked child those that its template has in memory.

A fork copies no page tables of mapped files, such as the code of a library: the child gets such a page when it first
uses it. So its resident memory would be smaller than that of a process that imported the library itself, by what only
the import uses (40 MB for torch and transformers). Pages of files are shared, so to have them costs no memory.
"""

import ctypes
import mmap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

#: madvise(2): map the pages of a range for reading, reading them from their file if necessary. Linux has it since 5.14.
MADV_POPULATE_READ = 22


class Pages(NamedTuple):
    """A range of resident pages of a file: its address, and its length in bytes."""

    address: int
    length: int


def resident() -> list[Pages]:
    """Return the resident pages of all files that this process has mapped; nothing if the system does not tell.

    Of each page, /proc/PID/pagemap has eight bytes, and the highest bit says whether it is in memory (proc(5)).
    """
    found: list[Pages] = []
    try:
        with Path("/proc/self/pagemap").open("rb", buffering=0) as pagemap:
            for line in Path("/proc/self/maps").read_text().splitlines():
                place, access, _, _, inode, *_ = line.split()
                if inode != "0" and access.startswith("r"):
                    start, end = (int(bound, 16) for bound in place.split("-"))
                    pagemap.seek(start // mmap.PAGESIZE * 8)
                    highest = pagemap.read((end - start) // mmap.PAGESIZE * 8)[7::8]
                    found += [
                        Pages(start + first * mmap.PAGESIZE, count * mmap.PAGESIZE) for first, count in _runs(highest)
                    ]
    except OSError:
        return []
    return found


def map_all(pages: Iterable[Pages]) -> None:
    """Map pages of files that this process does not have in memory. Older systems cannot, and nothing happens."""
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for each in pages:
        madvise(each.address, each.length, MADV_POPULATE_READ)


def _runs(highest: bytes) -> Iterator[tuple[int, int]]:
    """Yield the first page and the number of pages of each run of pages that are in memory.

    highest: the highest byte of each page's entry.

    >>> list(_runs(bytes([0, 0x80, 0x81, 0, 0xA0])))
    [(1, 2), (4, 1)]
    """
    first = None
    for page, byte in enumerate((*highest, 0)):
        if byte & 0x80 and first is None:
            first = page
        elif not byte & 0x80 and first is not None:
            yield first, page - first
            first = None

"""Memory of a forked child: make it like that of a process that was started on its own.

A fork copies no memory. It has no page tables for mapped files, such as the code of a library, so the child gets such
a page when it first uses it: its resident memory would be smaller by what only the import uses (60 MB for torch and
transformers). Other pages are shared with the parent until one of the two writes to them. Then the child gets a copy,
but of 4 KiB at a time, even if the parent has a huge page there. Both would happen while the child is timed.
"""

import ctypes
import mmap
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

# madvise(2). Older systems refuse these, and nothing happens.
#: Map the pages of a range for reading. Linux has it since 5.14.
MADV_POPULATE_READ = 22
#: Map the pages of a range for writing, which copies shared ones. Linux has it since 5.14.
MADV_POPULATE_WRITE = 23
#: Put the pages of a range into huge pages. Linux has it since 6.1.
MADV_COLLAPSE = 25

#: The size of a huge page in bytes, on x86-64 and on ARM64 with pages of 4 KiB.
HUGE = 2**21


class Range(NamedTuple):
    """A range of memory: its address, and its length in bytes."""

    address: int
    length: int


class Resident(NamedTuple):
    """The memory that a process has. Empty lists if the system does not tell."""

    #: Pages of mapped files that this process has not changed.
    files: list[Range]
    #: Other pages, which only this process has.
    private: list[Range]
    #: As many blocks of `private` as there are huge pages.
    huge: list[Range]


def resident() -> Resident:
    """Return which pages of its memory this process has.

    /proc/PID/pagemap has eight bytes of each page, of which the highest says what it is (proc(5)).
    """
    found = Resident([], [], [])
    try:
        with Path("/proc/self/pagemap").open("rb", buffering=0) as pagemap:
            for mapping, sizes in _mappings(Path("/proc/self/smaps").read_text()):
                pagemap.seek(mapping.address // mmap.PAGESIZE * 8)
                highest = pagemap.read(mapping.length // mmap.PAGESIZE * 8)[7::8]
                files, private = (list(_present(mapping.address, highest, kind)) for kind in (b"f", b"p"))
                found.files.extend(files)
                found.private.extend(private)
                # The system tells how many huge pages a mapping has, but not where they are.
                blocks = (block for each in private for block in _huge_blocks(each))
                found.huge.extend(islice(blocks, sizes["AnonHugePages"] * 1024 // HUGE))
    except OSError:
        return Resident([], [], [])
    return found


def take(memory: Resident) -> None:
    """Map all pages that the parent had, and copy those that are shared with it, into huge pages where it had such.

    memory: what the parent found `resident` before the fork.
    """
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    advice = ((memory.files, MADV_POPULATE_READ), (memory.private, MADV_POPULATE_WRITE), (memory.huge, MADV_COLLAPSE))
    for ranges, how in advice:
        for each in ranges:
            madvise(each.address, each.length, how)


def _mappings(smaps: str) -> Iterator[tuple[Range, dict[str, int]]]:
    """Yield each readable mapping of /proc/PID/smaps that has pages, with its sizes in KiB by name.

    >>> text = "1000-3000 rw-p 00000000 00:00 0  [heap]\\nRss:  8 kB\\nAnonymous:  4 kB\\nVmFlags: rd wr\\n"
    >>> list(_mappings(text))
    [(Range(address=4096, length=8192), {'Rss': 8, 'Anonymous': 4})]
    """
    mapping, sizes = Range(0, 0), dict[str, int]()
    for line in smaps.splitlines():
        name, *rest = line.split()
        if not name.endswith(":"):
            start, end = (int(bound, 16) for bound in name.split("-"))
            mapping, sizes = Range(start, end - start), {}
        elif name != "VmFlags:":
            sizes[name[:-1]] = int(rest[0])
        elif sizes["Rss"] and "rd" in rest:  # the last line of a mapping
            yield mapping, sizes


def _huge_blocks(pages: Range) -> Iterable[Range]:
    """Return the aligned blocks of the size of a huge page in a range.

    >>> list(_huge_blocks(Range(HUGE - 4096, 2 * HUGE)))
    [Range(address=2097152, length=2097152)]
    """
    first, end = -(-pages.address // HUGE) * HUGE, pages.address + pages.length
    return (Range(address, HUGE) for address in range(first, end - HUGE + 1, HUGE))


def _present(address: int, highest: bytes, kind: bytes) -> Iterator[Range]:
    """Yield the ranges of pages of a kind that are in memory.

    address: where the mapping begins. highest: the highest byte of each page's entry: its first bit says whether the
    page is in memory, and its third whether it belongs to a file. kind: b"f" for pages of files, b"p" for others.

    >>> list(_present(0, bytes([0, 0x80, 0x81, 0, 0xA0]), b"p"))
    [Range(address=4096, length=8192)]
    """
    for run in re.finditer(kind + b"+", highest.translate(_KINDS)):
        yield Range(address + run.start() * mmap.PAGESIZE, len(run.group()) * mmap.PAGESIZE)


#: The kind of a page for each value of the highest byte of its entry.
_KINDS = bytes((b"f" if byte & 0x20 else b"p")[0] if byte & 0x80 else 0 for byte in range(256))

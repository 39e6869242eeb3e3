"""The maps of attention of a saved report: files that are none, and arrays that do not fit."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile_cases.case import Case, Make, mechanism
from benchmarks.hostile_cases.files import after, file, folder, link, pipe, sparse
from benchmarks.hostile_cases.tiny_reports import MAPS, SHOW, maps_of, report

#: Shows the report with its maps.
_SHOWN = (*SHOW, "--format", "html")

#: The maps of one layer in the golden run.
_GOLDEN = "golden/attention.0"


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _a_file_that_is_none()
    yield from _members_of_a_zip()
    yield from _arrays_that_do_not_fit()


def _a_file_that_is_none() -> Iterator[Case]:
    of = mechanism("maps: a file that is none", codes=(0, 2), fast=True)
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }".ljust(128)
    for words, make in {
        "empty": file(MAPS),
        "no zip": file(MAPS, b"x" * 100),
        "an empty zip": file(MAPS, b"PK\x05\x06" + bytes(18)),
        "an array": file(MAPS, header + bytes(8)),
        "a pickle": file(MAPS, b"\x80\x04K\x01."),
        "a folder": folder(MAPS),
        "a pipe": pipe(MAPS),
        "a link to itself": link(MAPS, "maps.npz"),
        "a device without an end": link(MAPS, "/dev/zero"),
        "20 GB of zeros": sparse(MAPS, 2 * 10**10),
    }.items():
        yield of(words, *_SHOWN, make=after(report(), make), fast="GB" not in words)


def _members_of_a_zip() -> Iterator[Case]:
    of = mechanism("maps: members of a zip", codes=(0, 2))
    member = f"{_GOLDEN}.npy"
    code = b"\x93NUMPY\x01\x00v\x00__import__('os').system('touch ran')".ljust(128)
    small = _header((1,), "<f2") + bytes(2)
    bomb = _zip({member: _header((2 * 10**9,), "<f2")}, bomb=4 * 10**9)
    for words, make in {
        "a bomb of 4 GB": bomb,
        "a size of 10^15": _zip({member: _header((10**15,), "<f2") + bytes(10)}),
        "a size below 0": _zip({member: _header((-1, 2), "<f2") + bytes(10)}),
        "no arrays": _zip({"readme.txt": b"x", member: b"x"}),
        "code in a header": _zip({member: code}),
        "names above the folder": _zip({"../../x.npy": small, member: small}),
        "members without an end": _zip({member: _header((4, 32, 32), "<f2") + bytes(100)}),
    }.items():
        yield of(words, *_SHOWN, make=after(report(), make), fast=make is not bomb)


def _arrays_that_do_not_fit() -> Iterator[Case]:
    of = mechanism("maps: arrays that do not fit", codes=(0, 2), fast=True)
    edits: dict[str, Callable[..., dict[str, Any]]] = {
        "another shape": lambda maps: {**maps, _GOLDEN: np.zeros((4, 3, 5), np.float16)},
        "one dimension": lambda maps: {**maps, _GOLDEN: np.zeros(7)},
        "no elements": lambda maps: {**maps, _GOLDEN: np.zeros((0, 0, 0), np.float16)},
        "texts": lambda maps: {**maps, _GOLDEN: np.full((4, 32, 32), "x")},
        "complex numbers": lambda maps: {**maps, _GOLDEN: np.zeros((4, 32, 32), complex)},
        "NaN": lambda maps: {**maps, _GOLDEN: np.full((4, 32, 32), np.nan, np.float16)},
        "below 0 and above 1": lambda maps: {**maps, _GOLDEN: np.full((4, 32, 32), -9, np.float16)},
        "objects": lambda maps: {**maps, _GOLDEN: np.array([_Touches()], dtype=object)},
        "no number of a layer": lambda maps: {**maps, "golden/attention.x": maps[_GOLDEN]},
        "a layer of 10^9": lambda maps: {**maps, "golden/attention.1000000000": maps[_GOLDEN]},
        "golden alone": lambda maps: {key: value for key, value in maps.items() if key.startswith("golden")},
        "no golden": lambda maps: {key: value for key, value in maps.items() if not key.startswith("golden")},
        "no largest": lambda maps: {key: value for key, value in maps.items() if "largest" not in key},
        "largest of another size": lambda maps: {**maps, "torch-eager/attention.0/largest": np.ones(1)},
        "fewer heads": lambda maps: {**maps, "torch-eager/attention.0": maps[_GOLDEN][:1]},
        "another runtime": lambda maps: {**maps, "bogus/attention.0": maps[_GOLDEN]},
        "2000 layers": lambda maps: {
            **maps,
            **{f"golden/attention.{n}": maps[_GOLDEN][:, :4, :4] for n in range(2000)},
        },
    }
    for words, edit in edits.items():
        yield of(words, *_SHOWN, make=after(report(), maps_of(edit)))


class _Touches:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def _header(shape: tuple[int, ...], kind: str) -> bytes:
    """Return the header of an array file, which may claim any shape."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def _zip(members: dict[str, bytes], *, bomb: int = 0) -> Make:
    """Write a zip in the place of the maps. bomb: so many zeros follow the first member, compressed."""

    def made(work: Path) -> None:
        block = bytes(2**24)
        with zipfile.ZipFile(work / MAPS, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
            for place, (name, content) in enumerate(members.items()):
                with opened.open(name, "w", force_zip64=True) as member:
                    member.write(content)
                    for _ in range(bomb // len(block) if place == 0 else 0):
                        member.write(block)

    return made

"""ONNX files whose tensors are in other files."""

from collections.abc import Iterator
from typing import Any

from onnx import ModelProto, TensorProto

from benchmarks.hostile_cases.case import Case, mechanism
from benchmarks.hostile_cases.common import FILES, LONG, TITLE, VERY_LONG
from benchmarks.hostile_cases.files import after, file, folder, link, pipe, sparse
from benchmarks.hostile_cases.tiny_graphs import FILE, external, files


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _where_it_is()
    yield from _what_of_it()


def _where_it_is() -> Iterator[Case]:
    of = mechanism("external data: where it is", codes=(2,), fast=True)
    for words, location in {
        "above the folder": "../x",
        "far above": "../../../../etc/passwd",
        "absolute": "/etc/passwd",
        "of Windows": "..\\x",
        "a drive": "C:\\x",
        "a share": "\\\\host\\x",
        "missing": "none",
        "empty": "",
        "a dot": ".",
        "the graph itself": FILE,
        "too long": LONG,
        "much too long": VERY_LONG,
        "a zero byte": "a\0b",
        "control characters": TITLE,
        "back inside": "a/../../x",
        "an address": "https://example.com/x",
    }.items():
        codes = (0, 1, 2, 3) if words == "the graph itself" else (2,)
        yield of(words, *FILES, make=files(lambda m, w=location: external(m, w)), codes=codes, fast=codes == (2,))
    there = files(lambda m: external(m, "data", offset=0, length=4096))
    for words, make in {
        "a pipe": pipe("data"),
        "a folder": folder("data"),
        "a link to itself": link("data", "data"),
        "a link out of the folder": link("data", "/etc/passwd"),
        "a device without an end": link("data", "/dev/zero"),
        "empty": file("data"),
    }.items():
        yield of(f"the file is {words}", *FILES, make=after(there, make))


def _what_of_it() -> Iterator[Case]:
    of = mechanism("external data: what of it", codes=(2, 3), fast=True)
    data = file("data", bytes(4096))
    entries: dict[str, dict[str, Any]] = {
        "an offset beyond the end": {"offset": 10**9},
        "an offset below 0": {"offset": -1},
        "an offset of words": {"offset": "x"},
        "an offset of 5000 digits": {"offset": "9" * 5000},
        "a length beyond the end": {"length": 10**18},
        "a length below 0": {"length": -1},
        "a length in other digits": {"length": "٣٣٣٣٣"},
        "a fraction": {"length": "1.5"},
    }
    for words, more in entries.items():
        yield of(words, *FILES, make=after(files(lambda m, more=more: external(m, "data", **more)), data))
    entries = {
        "too short a length": {"length": 4},
        "an unknown key": {"bogus": "x"},
        "a wrong checksum": {"checksum": "0"},
    }
    for words, more in entries.items():
        codes = (2, 3) if "short" in words else (0, 1, 2, 3)
        yield of(
            words,
            *FILES,
            make=after(files(lambda m, more=more: external(m, "data", **more)), data),
            codes=codes,
            fast=False,
        )
    yield of("no entries", *FILES, make=files(_external_without_entries), codes=(2,))
    for words, name in {"the name of a graph": "deploy.onnx", "another name of a graph": "inspect.onnx"}.items():
        make = after(files(lambda m, name=name: external(m, name)), file(name, bytes(4096)))
        yield of(words, *FILES, make=make, fast=False)
    yield of(
        "100 GB of zeros",
        *FILES,
        make=after(files(lambda m: external(m, "data", length=4096)), sparse("data", 10**11)),
        codes=(0, 1, 2, 3),
        fast=False,
    )
    yield of("100 GB that are read", *FILES, make=after(files(_large_external), sparse("data", 10**11)), fast=False)


def _external_without_entries(model: ModelProto) -> None:
    model.graph.initializer[0].ClearField("raw_data")
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL


def _large_external(model: ModelProto) -> None:
    model.graph.initializer[0].dims[0] = 25 * 10**9 // 4
    external(model, "data", length=10**11)

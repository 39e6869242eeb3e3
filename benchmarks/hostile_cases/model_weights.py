"""The weights of a model: files that are no safetensors, tensors that do not fit, and indexes of several files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile_cases.case import Case, Make, mechanism
from benchmarks.hostile_cases.common import GIT_LFS, LONG, NOT_JSON, TINY, TITLE
from benchmarks.hostile_cases.files import after, cut, file, folder, gone, json_file, link, pipe
from benchmarks.hostile_cases.tiny_models import LLAMA, MODEL, WEIGHTS, model, raw_weights, tensors, weights

#: Names the file of each tensor.
INDEX = f"{MODEL}/model.safetensors.index.json"

#: Tensors of a GPT-2.
_TABLE, _NORM = "transformer.wte.weight", "transformer.ln_f.weight"

#: What a right header says of a tensor.
_RIGHT: dict[str, Any] = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _no_safetensors()
    yield from _headers()
    yield from _other_tensors_than_the_model_s()
    yield from _values_that_no_model_has()
    yield from _more_than_the_memory_holds()
    yield from _names_of_files()
    yield from _a_link_out_of_the_folder()
    yield from _no_map_of_weights()


def _no_safetensors() -> Iterator[Case]:
    of = mechanism("weights: no safetensors", fast=True, codes=(2,))
    contents: dict[str, bytes | str] = {
        "empty": b"",
        "seven bytes": bytes(7),
        "zeros": bytes(1000),
        "a pickle": b"\x80\x04\x95\x10" + bytes(100),
        "a zip": b"PK\x03\x04" + bytes(100),
        "a header of 2^63 bytes": (2**63).to_bytes(8, "little") + b"{}",
        "a header of 2^64 - 1 bytes": b"\xff" * 8 + b"{}",
        "a header of 10 GB": (10**10).to_bytes(8, "little") + b"{}",
        "a header beyond the end": (1000).to_bytes(8, "little") + b"{}",
        "a pointer of Git LFS": GIT_LFS,
    }
    for words, content in contents.items():
        yield of(words, "export", MODEL, make=after(model(), file(WEIGHTS, content)))
    yield of("cut by a byte", "export", MODEL, make=after(model(), cut(WEIGHTS, -1)))
    yield of("cut in the header", "export", MODEL, make=after(model(), cut(WEIGHTS, 100)))


def _headers() -> Iterator[Case]:
    of = mechanism("weights: headers", fast=True, codes=(2,))
    headers: dict[str, Any] = {
        "no JSON": b"{x}",
        "a list": [],
        "a number": 5,
        "nested 100,000 deep": b'{"a":' * 100_000,
        "no tensors": {},
        "no offsets": {"a": {"dtype": "F32", "shape": [1]}},
        "no type": {"a": {"shape": [1], "data_offsets": [0, 4]}},
        "a tensor that is a number": {"a": 5},
        "offsets beyond the end": {"a": {**_RIGHT, "data_offsets": [0, 10**15]}},
        "offsets below 0": {"a": {**_RIGHT, "data_offsets": [-4, 0]}},
        "offsets turned around": {"a": {**_RIGHT, "data_offsets": [4, 0]}},
        "offsets of words": {"a": {**_RIGHT, "data_offsets": ["0", "4"]}},
        "offsets that overlap": {"a": _RIGHT, "b": _RIGHT},
        "an unknown type": {"a": {**_RIGHT, "dtype": "F99"}},
        "a shape of 10^30": {"a": {**_RIGHT, "shape": [10**30]}},
        "a shape whose product overflows": {"a": {**_RIGHT, "shape": [2**33, 2**33]}},
        "a shape below 0": {"a": {**_RIGHT, "shape": [-1]}},
        "metadata of numbers": {"__metadata__": {"a": 5}, "a": _RIGHT},
        "metadata in a list": {"__metadata__": [], "a": _RIGHT},
        "a name twice": b'{"a":%s,"a":%s}' % ((json.dumps(_RIGHT).encode(),) * 2),
        "bytes that are no text": b'{"\xff":%s}' % json.dumps(_RIGHT).encode(),
    }
    for words, header in headers.items():
        yield of(words, "export", MODEL, make=after(model(), raw_weights(header, bytes(4))))


def _other_tensors_than_the_model_s() -> Iterator[Case]:
    of = mechanism("weights: other tensors than the model's", fast=True, codes=(2,))
    changed: dict[str, Make] = {
        "one is missing": weights({_NORM: None}),
        "all have other names": weights({**dict.fromkeys(tensors()), "x": np.ones(3, np.float32)}),
        "another shape": weights({_TABLE: np.ones((255, 16), np.float32)}),
        "more dimensions": weights({_TABLE: np.ones((256, 16, 1), np.float32)}),
        "no elements": weights({_TABLE: np.ones((0, 16), np.float32)}),
        "of Llama": raw_weights(_header_of(LLAMA), bytes(_size_of(LLAMA))),
        "a name that takes the terminal": weights({_NORM: None, f"{TITLE}\n": np.ones(1, np.float32)}),
    }
    for words, make in changed.items():
        yield of(words, "export", MODEL, make=after(model(), make))


def _values_that_no_model_has() -> Iterator[Case]:
    of = mechanism("weights: values that no model has", codes=(0, 1, 2, 3), seconds=180)
    for words, value in (("NaN", np.nan), ("infinity", np.inf), ("1e38", 1e38), ("0", 0.0)):
        every = {name: np.full_like(array, value) for name, array in tensors().items()}
        yield of(f"all {words}", *TINY, make=after(model(), weights(every)))
    for kind in (np.int64, np.bool_, np.complex64, np.float64, np.uint8):
        given = {_TABLE: np.ones((256, 16), kind)}
        yield of(f"of type {np.dtype(kind)}", "export", MODEL, make=after(model(), weights(given)))


def _more_than_the_memory_holds() -> Iterator[Case]:
    of = mechanism("weights: more than the memory holds")
    big = {"n_embd": 8192, "n_head": 32, "vocab_size": 10**7}
    yield of("330 GB of zeros that fit the configuration", "export", MODEL, make=_sparse_model(**big))
    yield of("330 GB, compared", *TINY, make=_sparse_model(**big))


def _header_of(base: dict[str, Any]) -> dict[str, Any]:
    header: dict[str, Any] = {}
    place = 0
    for name, array in tensors(base).items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [place, place + array.nbytes]}
        place += array.nbytes
    return header


def _size_of(base: dict[str, Any]) -> int:
    return sum(array.nbytes for array in tensors(base).values())


def _sparse_model(n_embd: int, n_head: int, vocab_size: int) -> Make:
    """Make a GPT-2 of any size whose weights are zeros that take no space on the disk."""

    def made(work: Path) -> None:
        model({"n_embd": n_embd, "n_head": n_head, "vocab_size": vocab_size})(work)
        sizes = {16: n_embd, 48: 3 * n_embd, 64: 4 * n_embd, 256: vocab_size}
        header: dict[str, Any] = {}
        place = 0
        for name, array in tensors().items():
            shape = [sizes.get(size, size) for size in array.shape]
            end = place + 4 * int(np.prod(shape, dtype=np.int64))
            header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [place, end]}
            place = end
        raw_weights(header)(work)
        with (work / WEIGHTS).open("r+b") as opened:
            opened.truncate((work / WEIGHTS).stat().st_size + place)

    return made


def _names_of_files() -> Iterator[Case]:
    of = mechanism("index: names of files", fast=True, codes=(2,))
    for words, name in {
        "above the folder": "../x.safetensors",
        "absolute": "/etc/passwd.safetensors",
        "in a folder": "a/b.safetensors",
        "missing": "none.safetensors",
        "no safetensors": "config.json",
        "a pickle": "x.bin",
        "empty": "",
        "a dot": ".",
        "of Windows": "..\\x.safetensors",
        "a drive": "C:\\x.safetensors",
        "a zero byte": "a\0.safetensors",
        "too long": f"{LONG}.safetensors",
        "control characters": f"{TITLE}.safetensors",
        "a surrogate": "\ud800.safetensors",
    }.items():
        outside = file("x.safetensors", b"x")
        yield of(
            words,
            "export",
            MODEL,
            make=after(model(), outside, gone(WEIGHTS), json_file(INDEX, {"weight_map": {"a": name}})),
        )


def _a_link_out_of_the_folder() -> Iterator[Case]:
    of = mechanism("index: a link out of the folder", codes=(2,), fast=True)
    out = after(
        model(name="other"),
        model(),
        gone(WEIGHTS),
        json_file(INDEX, {"weight_map": dict.fromkeys(tensors(), "a.safetensors")}),
    )
    shard = f"{MODEL}/a.safetensors"
    for words, make in {
        "a shard without an end": link(shard, "/dev/zero"),
        "a shard that is a pipe": pipe(shard),
        "a shard that is a folder": folder(shard),
        "a shard that is a link to itself": link(shard, "a.safetensors"),
        "the index itself": link(shard, "model.safetensors.index.json"),
    }.items():
        yield of(words, "export", MODEL, make=after(out, make))


def _no_map_of_weights() -> Iterator[Case]:
    of = mechanism("index: no map of weights", fast=True, codes=(2,))
    for words, content in (
        ("an empty object", {}),
        ("an empty map", {"weight_map": {}}),
        ("a map in a list", {"weight_map": ["model.safetensors"]}),
        ("a map in a string", {"weight_map": "model.safetensors"}),
        ("numbers", {"weight_map": {"a": 5}}),
        ("files of null", {"weight_map": {"a": None}}),
        ("lists", {"weight_map": {"a": ["x.safetensors"]}}),
    ):
        yield of(words, "export", MODEL, make=after(model(), gone(WEIGHTS), json_file(INDEX, content)))
    for words, raw in NOT_JSON.items():
        yield of(words, "export", MODEL, make=after(model(), gone(WEIGHTS), file(INDEX, raw)))

"""The cache: manifests, files of entries, golden runs, and folders that cannot be one."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.hostile_cases.case import Case, Make, mechanism
from benchmarks.hostile_cases.common import COMPARED, LONG, TITLE
from benchmarks.hostile_cases.files import after, file, folder, link, pipe, sparse

#: What leads from the working folder of a command to its cache.
CACHE = "../cache"
ENTRY = f"{CACHE}/models/byte-gpt2"
MANIFEST = f"{ENTRY}/manifest.json"

#: A manifest that is right, of an entry with one file.
_RIGHT: dict[str, Any] = {
    "source": {"kind": "hub", "name": "x", "origin": "user/x", "revision": "main", "trained": True},
    "exporter": "dynamo",
    "opset": 20,
    "versions": {"torch": "2"},
    "model": {
        "type": "gpt2",
        "layers": 1,
        "heads": 2,
        "key_value_heads": 2,
        "head_dim": 8,
        "hidden": 16,
        "vocabulary": 256,
        "positions": 32,
        "parameters": 9,
        "tokens": "bytes",
        "output": "logits",
        "pooling": [],
    },
    "checkpoint": {"types": [], "dropped": [], "architecture": [], "modules": []},
    "notes": [],
    "fingerprint": {},
    "files": {"a.bin": {"size": 3, "mtime_ns": 5, "sha256": "0" * 64}},
    "created": "2026-01-01T00:00:00+00:00",
    "schema": 3,
}


#: What the manifest says of its file.
_RECORD: dict[str, Any] = _RIGHT["files"]["a.bin"]

#: Name -> a command that reads manifests, and its exit codes if one is wrong.
_READERS: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "--list": (("export", "--list"), (0, 2)),
    "--verify": (("export", "--verify"), (2,)),
    "--remove": (("export", "--remove", "byte-gpt2"), (0, 2)),
}

#: Values that a manifest cannot have. Keys have dots between them.
_VALUES: dict[str, tuple[Any, ...]] = {
    "schema": (None, "3", 1.5, True, 0, -1, 99, 10**30, [], {}),
    "source": (None, "x", [], {}, 5),
    "source.kind": ("bogus", None, 5, []),
    "source.name": (None, 5, []),
    "source.trained": ("yes", 1),
    "exporter": (None, 5),
    "opset": ("20", None, True, 2.0),
    "versions": (None, [], {"torch": 2}),
    "model": (None, [], {}),
    "model.layers": ("1", None, 1.0),
    "model.tokens": ("words", None, []),
    "model.output": ("loss", {}),
    "model.pooling": ("cls", [5], None),
    "checkpoint": (None, {}, []),
    "checkpoint.types": ("x", [1]),
    "notes": ("x", [5], None),
    "files": (None, [], {"a.bin": 5}, {"a.bin": {}}, {"a.bin": None}),
    "fingerprint": ([], {"a": "x"}, {"a": [1.5]}),
    "created": (None, 5),
    "bogus": (5,),
}


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _manifests_that_are_none()
    yield from _values_of_manifests()
    yield from _records_of_files()
    yield from _texts_that_take_the_terminal()
    yield from _files_that_were_changed()
    yield from _other_things_in_its_folder()
    yield from _golden_runs_that_were_changed()
    yield from _a_folder_that_cannot_be()
    yield from _its_variable()


def entry(*changes: tuple[str, Any]) -> Make:
    """Make an entry with a right manifest, but for some values. changes: keys with dots between them -> value."""

    def made(work: Path) -> None:
        manifest = json.loads(json.dumps(_RIGHT))
        for place, value in changes:
            *path, last = place.split(".")
            part = manifest
            for key in path:
                part = part[key]
            part[last] = value
        (work / ENTRY).mkdir(parents=True, exist_ok=True)
        (work / MANIFEST).write_text(json.dumps(manifest))
        (work / ENTRY / "a.bin").write_bytes(b"abc")

    return made


def _manifests_that_are_none() -> Iterator[Case]:
    of = mechanism("manifest: a file that is none", fast=True)
    contents: dict[str, bytes | str] = {
        "empty": "",
        "cut": '{"schema": 3, "sour',
        "a list": "[]",
        "null": "null",
        "a number": "3",
        "a string": '"x"',
        "zeros": bytes(100),
        "nested 100,000 deep": "[" * 100_000,
        "objects 50,000 deep": '{"a":' * 50_000,
        "UTF-16": "{}".encode("utf-16"),
        "Latin-1": b'{"schema": 3, "created": "\xe9"}',
        "a number of 5000 digits": '{"schema": ' + "9" * 5000 + "}",
        "a surrogate": json.dumps({"schema": 3, "created": "\ud800"}),
    }
    for words, content in contents.items():
        for name, (command, codes) in _READERS.items():
            yield of(f"{words}, {name}", *command, make=file(MANIFEST, content), codes=codes)
    for name, (command, codes) in _READERS.items():
        for words, make in {
            "a folder": folder(MANIFEST),
            "a pipe": pipe(MANIFEST),
            "a link to itself": link(MANIFEST, "manifest.json"),
            "a device without an end": link(MANIFEST, "/dev/zero"),
            "missing": folder(ENTRY),
            "20 GB of zeros": sparse(MANIFEST, 2 * 10**10),
        }.items():
            yield of(f"{words}, {name}", *command, make=make, codes=codes, fast="GB" not in words)


def _values_of_manifests() -> Iterator[Case]:
    of = mechanism("manifest: values", fast=True)
    for place, values in _VALUES.items():
        for value in values:
            yield of(f"{place} {json.dumps(value)[:30]}", "export", "--verify", make=entry((place, value)), codes=(2,))
    for place, value in (("schema", "3"), ("schema", None), ("source", "x"), ("files", {"a.bin": 5}), ("created", 5)):
        words, make = f"{place} {json.dumps(value)[:30]}", entry((place, value))
        yield of(f"{words}, --list", "export", "--list", make=make, codes=(0, 2))
        yield of(f"{words}, exported", "export", "--offline", "user/x", make=make)


def _records_of_files() -> Iterator[Case]:
    of = mechanism("manifest: records of files", codes=(2,), fast=True)
    for words, files in {
        "a file above the entry": {"../../../x": _RECORD},
        "an absolute file": {"/etc/passwd": _RECORD},
        "an empty name": {"": _RECORD},
        "a dot": {".": _RECORD},
        "a long name": {LONG: _RECORD},
        "a zero byte": {"a\0b": _RECORD},
        "control characters": {TITLE: _RECORD},
        "a surrogate": {"\ud800": _RECORD},
        "another size": {"a.bin": {**_RECORD, "size": 5}},
        "a size below 0": {"a.bin": {**_RECORD, "size": -3}},
        "a size of 10^30": {"a.bin": {**_RECORD, "size": 10**30}},
        "a time of 10^30": {"a.bin": {**_RECORD, "mtime_ns": 10**30}},
        "another digest": {"a.bin": _RECORD},
        "a digest that takes the terminal": {"a.bin": {**_RECORD, "sha256": f"{TITLE}"}},
        "a missing file": {"none": _RECORD},
    }.items():
        yield of(words, "export", "--verify", make=entry(("files", files)))
        yield of(f"{words}, looked up", "export", "--offline", "user/x", make=entry(("files", files)), codes=(2, 3))


def _texts_that_take_the_terminal() -> Iterator[Case]:
    of = mechanism("manifest: texts that take the terminal", codes=(0, 2), fast=True)
    for place in ("created", "exporter", "source.name", "source.origin", "source.revision"):
        yield of(f"{place}, --list", "export", "--list", make=entry((place, f"{TITLE}\x9b31m\u202e\n")))
        yield of(f"{place}, --verify", "export", "--verify", make=entry((place, f"{TITLE}\x9b31m")))
    yield of("notes", "export", "--offline", "user/x", make=entry(("notes", [TITLE])), codes=(0, 2))


def _files_that_were_changed() -> Iterator[Case]:
    of = mechanism("cache entry: files that were changed", codes=(2,), needs=("byte-gpt2",), fast=True)
    changes: dict[str, Callable[[Path], object]] = {
        "damaged": _damage,
        "cut": lambda path: os.truncate(path, 10),
        "gone": Path.unlink,
        "is a pipe": lambda path: _swap(path, os.mkfifo),
        "is a folder": lambda path: _swap(path, Path.mkdir),
    }
    for name in ("model.safetensors", "inspect.onnx", "deploy.onnx", "config.json", "tokenizer.json", "manifest.json"):
        for words, change in changes.items():
            make = _on_entry(lambda found, name=name, change=change: change(found / name))
            yield of(f"{name} {words}", "export", "byte-gpt2", make=make)
    damaged = _on_entry(lambda found: _damage(found / "model.safetensors"))
    yield of("compared", *COMPARED, make=damaged, fast=False)
    yield of("verified", "export", "--verify", make=damaged)


def _other_things_in_its_folder() -> Iterator[Case]:
    of = mechanism("cache entry: other things in its folder", codes=(0, 2), needs=("byte-gpt2",), fast=True)
    models = f"{CACHE}/models"
    yield of("an entry is a link to itself", "export", "--list", make=link(f"{models}/loop-0", "loop-0"))
    yield of("an entry is a file", "export", "--list", make=file(f"{models}/file-0"))
    yield of("an entry is a link above itself", "export", "--remove", "up-0", make=link(f"{models}/up-0", ".."))
    mine = after(file("mine/a", "mine"), link(f"{models}/mine-0", "../../work/mine"))
    yield of("a link to a folder, removed", "export", "--remove", "mine-0", make=mine)
    taken = folder(f"{models}/{TITLE}-0")
    yield of("a name that takes the terminal, --list", "export", "--list", make=taken)
    yield of("a name that takes the terminal, --verify", "export", "--verify", make=taken, codes=(2,))
    yield of("a name that is no text", "export", "--list", make=folder(f"{models}/\udcff-0"))
    yield of("a name of lines", "export", "--remove", "none", make=folder(f"{models}/a\nerror: b"))
    lock = _on_entry(lambda found: _swap(found.parent / f".{found.name}.lock", Path.mkdir))
    yield of("a lock that is a folder", "export", "byte-gpt2", make=lock)


def _golden_runs_that_were_changed() -> Iterator[Case]:
    of = mechanism("golden runs: files that were changed", codes=(0,), seconds=180, needs=("byte-gpt2", "golden"))
    changes: dict[str, Callable[[Path], object]] = {
        "cut": lambda path: os.truncate(path, 10),
        "empty": lambda path: os.truncate(path, 0),
        "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
        "text": lambda path: path.write_text("{}"),
    }
    for words, change in changes.items():
        yield of(f"all {words}", *COMPARED, make=_every(f"{CACHE}/golden", change))


def _a_folder_that_cannot_be() -> Iterator[Case]:
    of = mechanism("cache folder: one that cannot be", codes=(0, 2), fast=True)
    for words, root, make in (
        ("a file", "root", file("root")),
        ("below a file", "root/x", file("root")),
        ("a link to itself", "root", link("root", "root")),
        ("a pipe", "root", pipe("root")),
        ("a device", "/dev/null", folder("x")),
        ("of the system", "/proc/x", folder("x")),
        ("too long", LONG, folder("x")),
        ("where models is a file", "root", file("root/models")),
        ("where models is a pipe", "root", pipe("root/models")),
        ("where models is a link to itself", "root", link("root/models", "models")),
        ("where reports is a file", "root", file("root/reports")),
    ):
        yield of(f"{words}, --list", "export", "--list", "--cache-dir", root, make=make)
        yield of(f"{words}, list", "compare", "list", "--cache-dir", root, make=make)
        yield of(f"{words}, show", "compare", "show", "--cache-dir", root, make=make, codes=(2,))
        if words != "where reports is a file":
            yield of(f"{words}, export", "export", "byte-gpt2", "--cache-dir", root, make=make, codes=(2,), fast=False)
    reports, golden = file(f"{CACHE}/reports"), file(f"{CACHE}/golden")
    compared = {"needs": ("byte-gpt2",), "fast": False}
    yield of("where reports is a file, compare", *COMPARED, make=reports, codes=(2,), **compared)
    yield of("where golden is a file, compare", *COMPARED, make=golden, seconds=180, **compared)


def _its_variable() -> Iterator[Case]:
    of = mechanism("cache folder: its variable", codes=(0, 2))
    for value in ("", " ", "/dev/null", "/proc", "~nobody-here/x", LONG, b"\xff", "a\nb", "relative"):
        named = {"ONNX_ATTENTION_COMPARE_CACHE": value}
        yield of(f"{value!a:.30}, list", "compare", "list", environment=named)
        yield of(f"{value!a:.30}, --list", "export", "--list", environment=named)


def _on_entry(change: Callable[..., object]) -> Make:
    """Change the only entry of the cache."""

    def made(work: Path) -> None:
        (found,) = (work / CACHE / "models").glob("byte-gpt2-*")
        change(found)

    return made


def _damage(path: Path) -> None:
    """Change a byte in the middle of a file."""
    with path.open("r+b") as opened:
        opened.seek(path.stat().st_size // 2)
        byte = opened.read(1)
        opened.seek(-1, os.SEEK_CUR)
        opened.write(bytes([byte[0] ^ 255]))


def _every(name: str, change: Callable[[Path], object]) -> Make:
    """Change every file below a folder."""

    def made(work: Path) -> None:
        found = [path for path in (work / name).rglob("*") if path.is_file()]
        if not found:
            raise FileNotFoundError(f"there is nothing in {name} to change")
        for path in found:
            change(path)

    return made


def _swap(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink(missing_ok=True)
    make(path)
